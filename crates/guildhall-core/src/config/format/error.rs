//! What is wrong with content, where, and what to do about it.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Position;

/// Content that cannot be read as its format.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParseError {
    /// Where; absent where the content as a whole is at fault.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<Position>,
    /// The value that was being read, as a JSON Pointer, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pointer: Option<String>,
    /// What is wrong and what would be right.
    pub detail: String,
}

impl ParseError {
    pub(super) fn at(text: &str, offset: usize, detail: impl fmt::Display) -> Self {
        Self {
            position: Some(Position::in_text(text, offset)),
            pointer: None,
            detail: detail.to_string(),
        }
    }

    pub(super) fn whole(detail: impl fmt::Display) -> Self {
        Self {
            position: None,
            pointer: None,
            detail: detail.to_string(),
        }
    }

    /// The same, with the value that was being read; the root tells nothing.
    pub(super) fn within(mut self, pointer: &str) -> Self {
        self.pointer = Some(pointer.to_owned()).filter(|pointer| !pointer.is_empty());
        self
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(position) = self.position {
            write!(f, "{position}: ")?;
        }
        if let Some(pointer) = &self.pointer {
            write!(f, "at {pointer}: ")?;
        }
        f.write_str(&self.detail)
    }
}

impl std::error::Error for ParseError {}
