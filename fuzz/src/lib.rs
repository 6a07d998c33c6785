//! What the targets share: how an input is cut into parts, and what must hold of every tree of configuration.
//!
//! Inputs are text wherever that is possible, so that seeds can be read and written by hand.

use guildhall_core::config::{
    Format, Node, ParseError, Parsed, Position, Value,
    format::{MAX_BYTES, render},
    parse,
};

/// What stands between the parts of an input, in a line of its own.
const BETWEEN: &[u8] = b"\n=====\n";

/// Places that are looked at in one input: aliases make few bytes many values.
const LOOKED_AT: usize = 500;

/// The parts of an input.
pub fn parts(data: &[u8]) -> Vec<&[u8]> {
    let mut parts = Vec::new();
    let mut rest = data;
    while let Some(at) = rest.windows(BETWEEN.len()).position(|w| w == BETWEEN) {
        parts.push(&rest[..at]);
        rest = &rest[at + BETWEEN.len()..];
    }
    parts.push(rest);
    parts
}

/// The format that the first letter names (`j`, `y`, `t`, `p`, `x` for text), and what follows it.
pub fn formatted(part: &[u8]) -> Option<(Format, &[u8])> {
    let (letter, rest) = part.split_first()?;
    let format = match letter {
        b'j' => Format::Json,
        b'y' => Format::Yaml,
        b't' => Format::Toml,
        b'p' => Format::Properties,
        b'x' => Format::Text,
        _ => return None,
    };
    Some((format, rest))
}

/// A content of the format that its first letter names, if it can be read.
pub fn content(part: &[u8]) -> Option<Parsed> {
    let (format, bytes) = formatted(part)?;
    parse(format, bytes).ok()
}

/// Reads content of a format: what cannot be read is refused at a place in it, what can be read writes back the same.
pub fn check_format(format: Format, bytes: &[u8]) {
    match parse(format, bytes) {
        Err(error) => check_error(&error, bytes),
        Ok(parsed) => check_parsed(&parsed),
    }
}

fn check_error(error: &ParseError, bytes: &[u8]) {
    assert!(!error.detail.is_empty(), "an error that says nothing");
    if let Some(position) = error.position {
        check_position(position, &String::from_utf8_lossy(bytes));
    }
}

/// A place is in the text, or right behind its end.
pub fn check_position(position: Position, text: &str) {
    let line = text.split('\n').nth(position.line as usize - 1);
    let line = line.unwrap_or_else(|| panic!("{position} is in no line"));
    let columns = line.chars().count() + 1;
    assert!(
        (1..=columns).contains(&(position.column as usize)),
        "{position} of a line of {columns}"
    );
}

/// Places are in the text, pointers lead to their values, and the tree reads back from whatever it is rendered as.
pub fn check_parsed(parsed: &Parsed) {
    let (Some(text), Some(root)) = (parsed.text(), parsed.root()) else {
        return;
    };
    let mut left = LOOKED_AT;
    root.walk(&mut |pointer, node| {
        if left == 0 {
            return false;
        }
        left -= 1;
        let range = node.span.range();
        assert!(text.get(range.clone()).is_some(), "{pointer}: {range:?}");
        assert_eq!(root.get(pointer), Some(node), "{pointer}");
        let position = parsed.position(pointer);
        let position = position.unwrap_or_else(|| panic!("{pointer} has no position"));
        check_position(position, text);
        true
    });
    for format in [Format::Json, Format::Yaml, Format::Toml, Format::Properties] {
        check_rendered(format, root);
    }
}

/// What a tree is rendered as reads as the same tree.
pub fn check_rendered(format: Format, root: &Node) {
    // A file that is one text is refused in YAML, and properties have texts only.
    let is_other = match format {
        Format::Yaml => matches!(root.value, Value::String(_)),
        Format::Properties => !has_texts_only(root),
        _ => false,
    };
    let Ok(rendered) = render(format, root) else {
        return;
    };
    if is_other || rendered.len() > MAX_BYTES {
        return;
    }
    match parse(format, rendered.as_bytes()) {
        Ok(again) => assert_eq!(again.root(), Some(root), "as {format}:\n{rendered}"),
        Err(error) => panic!("as {format} it does not read back: {error}\n{rendered}"),
    }
}

fn has_texts_only(root: &Node) -> bool {
    match &root.value {
        Value::Object(members) => members
            .iter()
            .all(|member| matches!(member.node.value, Value::String(_))),
        _ => false,
    }
}
