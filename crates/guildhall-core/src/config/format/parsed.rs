//! Content that was read, and the one way in.

use super::{Format, Node, ParseError, Position, json, lines::Lines, properties, toml, yaml};

/// The most bytes that content may have: 1 MiB.
pub const MAX_BYTES: usize = 1 << 20;

/// How deep lists and objects may stand in each other.
pub const MAX_DEPTH: usize = 64;

/// Content that was read: the text as it was written, and the tree in it where its format has one.
#[derive(Clone, Debug)]
pub struct Parsed {
    format: Format,
    text: Option<Box<str>>,
    root: Option<Node>,
    lines: Lines,
}

/// Reads content of `format`, or says what is wrong with it and where.
///
/// An empty YAML file is `null`, an empty TOML or properties file an empty object; text and binary have no tree.
pub fn parse(format: Format, bytes: &[u8]) -> Result<Parsed, ParseError> {
    if bytes.len() > MAX_BYTES {
        return Err(ParseError::whole(format_args!(
            "content has at most {MAX_BYTES} bytes, this has {}; split it into several files",
            bytes.len()
        )));
    }
    if format == Format::Binary {
        return Ok(Parsed {
            format,
            text: None,
            root: None,
            lines: Lines::new(""),
        });
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let valid = bytes.get(..error.valid_up_to()).unwrap_or_default();
        let valid = String::from_utf8_lossy(valid);
        ParseError::at(
            &valid,
            valid.len(),
            "not UTF-8; save the file in that encoding, or give it the format binary",
        )
    })?;
    Ok(Parsed {
        format,
        text: Some(text.into()),
        root: tree(format, text)?,
        lines: Lines::new(text),
    })
}

/// The tree of text of any size, where `format` has one.
pub(crate) fn tree(format: Format, text: &str) -> Result<Option<Node>, ParseError> {
    Ok(match format {
        Format::Json => Some(json::parse(text)?),
        Format::Yaml => Some(yaml::parse(text)?),
        Format::Toml => Some(toml::parse(text)?),
        Format::Properties => Some(properties::parse(text)?),
        Format::Text | Format::Binary => None,
    })
}

impl Parsed {
    /// Its format.
    pub const fn format(&self) -> Format {
        self.format
    }

    /// The text as it was written; binary content has none.
    pub fn text(&self) -> Option<&str> {
        self.text.as_deref()
    }

    /// The tree of values, where the format has one.
    pub const fn root(&self) -> Option<&Node> {
        self.root.as_ref()
    }

    /// The tree as serde_json has it.
    pub fn value(&self) -> Option<serde_json::Value> {
        self.root.as_ref().map(Node::to_json)
    }

    /// Where the value at the JSON Pointer `pointer` begins, or the nearest one above it that was written.
    pub fn position(&self, pointer: &str) -> Option<Position> {
        let root = self.root.as_ref()?;
        let mut pointer = pointer;
        loop {
            if let Some(node) = root.get(pointer) {
                return Some(self.position_at(node.span.start as usize));
            }
            pointer = pointer.rsplit_once('/').map_or("", |(above, _)| above);
        }
    }

    /// Where the byte at `offset` stands.
    pub fn position_at(&self, offset: usize) -> Position {
        self.lines.position(self.text().unwrap_or_default(), offset)
    }
}
