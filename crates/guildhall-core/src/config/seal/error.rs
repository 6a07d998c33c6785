//! What keeps a value from being sealed or opened.

use crate::config::format::{ParseError, Position};

/// Why a value could not be sealed or opened. Never tells the value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The key that sealed it is not there.
    #[error("{}was sealed with the key {key:?}, which is not in the key file; add it there", at(pointer, *position))]
    UnknownKey {
        /// The value.
        pointer: String,
        /// Where it stands.
        position: Option<Position>,
        /// The key's id.
        key: String,
    },
    /// It was changed, or sealed for another place.
    #[error("{}does not open: it was changed, or sealed for another file, environment or key; set the value anew", at(pointer, *position))]
    Refused {
        /// The value.
        pointer: String,
        /// Where it stands.
        position: Option<Position>,
    },
    /// It begins like a sealed value and is none.
    #[error("{}is not a sealed value: after v1 come the key's id and base64, with colons between; set the value anew", at(pointer, *position))]
    Malformed {
        /// The value.
        pointer: String,
        /// Where it stands.
        position: Option<Position>,
    },
    /// The text cannot take another value there.
    #[error("{}cannot be replaced where it stands; write it in one line, as a single value", at(pointer, *position))]
    InPlace {
        /// The value.
        pointer: String,
        /// Where it stands.
        position: Option<Position>,
    },
    /// A mask where nothing is sealed.
    #[error("{}is the mask of a sealed value, and there is none in this place; give the value itself", at(pointer, *position))]
    Masked {
        /// The value.
        pointer: String,
        /// Where it stands.
        position: Option<Position>,
    },
    /// Text and binary content.
    #[error("this content has no values that could be sealed; use json, yaml, toml or properties")]
    NoValues,
    /// Content that became too large, say.
    #[error("with the values sealed: {0}")]
    Parse(#[from] ParseError),
}

fn at(pointer: &str, position: Option<Position>) -> String {
    match position {
        Some(position) => format!("{position}: the value at {pointer:?} "),
        None if pointer.is_empty() => "the value ".to_owned(),
        None => format!("the value at {pointer:?} "),
    }
}
