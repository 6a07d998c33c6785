//! The formats of configuration: one tree for JSON, YAML, TOML and properties, in which each value knows its place.
//!
//! Content is parsed for its format when it is written, so that what cannot be read is refused with a line, a column and
//! what to do about it. Parsing never changes the bytes: comments and order stay as they were written.
//!
//! What is refused beside plain mistakes: content over 1 MiB, nesting deeper than 64, two values under one key, numbers
//! that would lose digits, YAML whose aliases expand to more than a bound, and whatever has no like in the other formats
//! (NaN, YAML's own tags, several documents in one file).
//!
//! # Example
//!
//! ```
//! use guildhall_core::config::{Format, parse};
//!
//! let parsed = parse(Format::Yaml, b"# limits\npool:\n  size: 8\n")?;
//! assert_eq!(parsed.value(), Some(serde_json::json!({"pool": {"size": 8}})));
//! assert_eq!(parsed.position("/pool/size").unwrap().to_string(), "line 3, column 9");
//!
//! let error = parse(Format::Json, b"{\n  \"size\": 8,\n}").unwrap_err();
//! assert!(error.to_string().starts_with("line 3, column 1: "));
//! # Ok::<(), guildhall_core::config::ParseError>(())
//! ```

mod build;
mod error;
mod json;
mod lines;
pub(super) mod parsed;
pub(super) mod properties;
pub(super) mod render;
mod scalar;
mod toml;
mod tree;
mod yaml;

pub use super::{kind::Format, position::Position};
pub use error::ParseError;
pub use parsed::{MAX_BYTES, MAX_DEPTH, Parsed, parse};
pub use render::{RenderError, render};
pub use tree::{Member, Node, Span, Value, escape, join, steps};
