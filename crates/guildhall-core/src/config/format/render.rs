//! A tree as text of a format: for what was merged, where nobody wrote the whole.
//!
//! What is rendered reads back as the same tree. Comments are not in a tree: content that is served as it was written is
//! never rendered.

use super::{Format, Node, Value, properties, scalar, tree::join};

/// A tree that a format has no words for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{format} cannot say what is at {pointer:?}: {detail}")]
pub struct RenderError {
    /// The format.
    pub format: Format,
    /// The value, as a JSON Pointer.
    pub pointer: String,
    /// What is in the way and what would be right.
    pub detail: &'static str,
}

/// The tree as text of `format`, with a line break at its end.
pub fn render(format: Format, root: &Node) -> Result<String, RenderError> {
    let mut text = match format {
        Format::Json => serde_json::to_string_pretty(root).map_err(|_| RenderError {
            format,
            pointer: String::new(),
            detail: "it has a value that JSON has not",
        })?,
        Format::Yaml => yaml_text(root),
        Format::Toml => toml(root)?,
        Format::Properties => flat(root)?,
        Format::Text | Format::Binary => {
            return Err(RenderError {
                format,
                pointer: String::new(),
                detail: "it has no keys and values; ask for json, yaml, toml or properties",
            });
        }
    };
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    Ok(text)
}

/// Text in double quotes, as JSON, YAML and TOML all read it.
pub(in crate::config) fn quoted(text: &str) -> String {
    let mut written = String::with_capacity(text.len() + 2);
    written.push('"');
    for c in text.chars() {
        match c {
            '"' => written.push_str("\\\""),
            '\\' => written.push_str("\\\\"),
            '\n' => written.push_str("\\n"),
            '\r' => written.push_str("\\r"),
            '\t' => written.push_str("\\t"),
            c if is_special(c) => written.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => written.push(c),
        }
    }
    written.push('"');
    written
}

/// Characters that YAML or TOML do not take as they are, or that begin a line for some.
fn is_special(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}'
        )
}

/// The tree as YAML, in block style.
fn yaml_text(root: &Node) -> String {
    let mut out = String::new();
    yaml_node(&mut out, root, 0, Place::Root);
    out
}

/// What stands before a value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Root,
    /// `- `: a block may begin in this line.
    Item,
    /// `key:`: a block begins in the next.
    Member,
}

fn yaml_node(out: &mut String, node: &Node, indent: usize, place: Place) {
    match &node.value {
        Value::Array(items) if !items.is_empty() => {
            for (n, item) in items.iter().enumerate() {
                block_line(out, indent, place, n == 0);
                out.push('-');
                yaml_node(out, item, indent + 2, Place::Item);
            }
        }
        Value::Object(members) if !members.is_empty() => {
            for (n, member) in members.iter().enumerate() {
                block_line(out, indent, place, n == 0);
                let key = yaml_string(&member.key);
                // YAML looks for a key's colon no further than 1024 characters.
                if key.len() > 1000 {
                    out.push_str("? ");
                    out.push_str(&key);
                    out.push('\n');
                    push_spaces(out, indent);
                } else {
                    out.push_str(&key);
                }
                out.push(':');
                yaml_node(out, &member.node, indent + 2, Place::Member);
            }
        }
        leaf => {
            if place != Place::Root {
                out.push(' ');
            }
            yaml_leaf(out, leaf, indent, place);
            out.push('\n');
        }
    }
}

fn push_spaces(out: &mut String, count: usize) {
    out.extend(std::iter::repeat_n(' ', count));
}

/// Goes to where the next line of a block begins.
fn block_line(out: &mut String, indent: usize, place: Place, first: bool) {
    match (place, first) {
        (Place::Item, true) => out.push(' '),
        (Place::Member, true) => {
            out.push('\n');
            push_spaces(out, indent);
        }
        _ => push_spaces(out, indent),
    }
}

fn yaml_leaf(out: &mut String, value: &Value, indent: usize, place: Place) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Value::Number(number) => out.push_str(&number.to_string()),
        Value::String(text) if place != Place::Root && is_block_text(text) => {
            out.push_str(if text.ends_with('\n') { "|" } else { "|-" });
            for line in text.strip_suffix('\n').unwrap_or(text).split('\n') {
                out.push('\n');
                if !line.is_empty() {
                    push_spaces(out, indent);
                    out.push_str(line);
                }
            }
        }
        Value::String(text) => out.push_str(&yaml_string(text)),
        Value::Array(_) => out.push_str("[]"),
        Value::Object(_) => out.push_str("{}"),
    }
}

/// Whether a text reads best, and back, as a literal block.
fn is_block_text(text: &str) -> bool {
    let lines = text.strip_suffix('\n').unwrap_or(text);
    lines.contains('\n')
        && !lines.ends_with('\n')
        && !text.starts_with(['\n', ' ', '\t'])
        && !text
            .chars()
            .any(|c| is_special(c) && c != '\n' && c != '\t')
        && lines
            .split('\n')
            .all(|line| line.is_empty() || !line.trim().is_empty())
}

/// A text in one line: plain where every reader of YAML 1.1 and 1.2 takes it for that text.
fn yaml_string(text: &str) -> String {
    const WORDS: [&str; 8] = ["yes", "no", "on", "off", "y", "n", "true", "false"];
    let begins = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_' || c == '/');
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_-./@ ".contains(c);
    let plain = begins
        && text.chars().all(allowed)
        && !text.ends_with(' ')
        && !WORDS.contains(&text.to_ascii_lowercase().as_str())
        && matches!(scalar::plain(text), Ok(Value::String(_)));
    if plain { text.to_owned() } else { quoted(text) }
}

/// The tree as TOML: in each table its values first, then the tables in it.
fn toml(root: &Node) -> Result<String, RenderError> {
    if !matches!(root.value, Value::Object(_)) {
        return Err(RenderError {
            format: Format::Toml,
            pointer: String::new(),
            detail: "a file is a table; put the value under a key",
        });
    }
    let mut out = String::new();
    toml_table(&mut out, root, &mut Vec::new(), &mut String::new())?;
    Ok(out)
}

fn toml_table(
    out: &mut String,
    node: &Node,
    header: &mut Vec<String>,
    at: &mut String,
) -> Result<(), RenderError> {
    let Value::Object(members) = &node.value else {
        return Ok(());
    };
    let is_table = |node: &Node| matches!(node.value, Value::Object(_));
    let here = at.len();
    let values = members.iter().filter(|member| !is_table(&member.node));
    if !header.is_empty() && (members.is_empty() || values.clone().next().is_some()) {
        if !out.is_empty() {
            out.push('\n');
        }
        out.push_str(&format!("[{}]\n", header.join(".")));
    }
    for member in values {
        join(at, &member.key);
        out.push_str(&toml_key(&member.key));
        out.push_str(" = ");
        toml_value(out, &member.node, at)?;
        out.push('\n');
        at.truncate(here);
    }
    for member in members.iter().filter(|member| is_table(&member.node)) {
        join(at, &member.key);
        header.push(toml_key(&member.key));
        toml_table(out, &member.node, header, at)?;
        header.pop();
        at.truncate(here);
    }
    Ok(())
}

fn toml_key(key: &str) -> String {
    let bare = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    if !key.is_empty() && key.bytes().all(bare) {
        key.to_owned()
    } else {
        quoted(key)
    }
}

pub(in crate::config) fn toml_value(
    out: &mut String,
    node: &Node,
    at: &mut String,
) -> Result<(), RenderError> {
    let refuse = |at: &str, detail| RenderError {
        format: Format::Toml,
        pointer: at.to_owned(),
        detail,
    };
    let here = at.len();
    match &node.value {
        Value::Null => return Err(refuse(at, "TOML has no null; leave the key out")),
        Value::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Value::Number(number) if number.is_u64() && !number.is_i64() => {
            return Err(refuse(
                at,
                "TOML's integers end at 2^63 - 1; write it as text",
            ));
        }
        Value::Number(number) => out.push_str(&number.to_string()),
        Value::String(text) => out.push_str(&quoted(text)),
        Value::Array(items) => {
            out.push('[');
            for (n, item) in items.iter().enumerate() {
                if n > 0 {
                    out.push_str(", ");
                }
                join(at, &n.to_string());
                toml_value(out, item, at)?;
                at.truncate(here);
            }
            out.push(']');
        }
        Value::Object(members) => {
            out.push('{');
            for (n, member) in members.iter().enumerate() {
                out.push_str(if n > 0 { ", " } else { " " });
                join(at, &member.key);
                out.push_str(&toml_key(&member.key));
                out.push_str(" = ");
                toml_value(out, &member.node, at)?;
                at.truncate(here);
            }
            out.push_str(if members.is_empty() { "}" } else { " }" });
        }
    }
    Ok(())
}

/// The tree as properties: one object of texts, numbers and booleans.
fn flat(root: &Node) -> Result<String, RenderError> {
    let refuse = |pointer: &str, detail| RenderError {
        format: Format::Properties,
        pointer: pointer.to_owned(),
        detail,
    };
    let Value::Object(members) = &root.value else {
        return Err(refuse(
            "",
            "a file is keys and values; put the value under a key",
        ));
    };
    let mut out = String::new();
    for member in members {
        let value = match &member.node.value {
            Value::String(text) => properties::escape_value(text),
            Value::Number(number) => number.to_string(),
            Value::Bool(value) => value.to_string(),
            Value::Null | Value::Array(_) | Value::Object(_) => {
                let mut pointer = String::new();
                join(&mut pointer, &member.key);
                return Err(refuse(&pointer, "a value is a text, a number or a boolean"));
            }
        };
        if member.key.is_empty() {
            return Err(refuse("/", "a key has at least one character"));
        }
        out.push_str(&properties::escape_key(&member.key));
        out.push('=');
        out.push_str(&value);
        out.push('\n');
    }
    Ok(out)
}
