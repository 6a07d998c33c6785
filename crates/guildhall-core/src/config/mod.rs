//! Configuration: what services read, as files of many formats that are parsed where they are written.
//!
//! ```text
//! bytes as written ─parse─▶ Parsed: tree with positions ─▶ schema, diff, seal, merge, gray
//!        └──────────────────── what is stored: comments and order stay ────────────────▶
//! ```
//!
//! Content belongs to a file of a service in an environment. The bytes are what is stored; everything here reads them
//! and never rewrites what it was not asked to. Time, randomness and keys are arguments.
//!
//! - [`mod@format`]: the formats, and parsing into a tree in which each value knows where it was written.

pub mod format;

pub use format::{Format, Node, ParseError, Parsed, Position, Value, parse};
