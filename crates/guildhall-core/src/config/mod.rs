//! Configuration: what services read, as files of many formats that are parsed where they are written.
//!
//! ```text
//! bytes as written ─parse─▶ Parsed: tree with positions ─▶ diff, seal, merge, gray
//!        └──────────────────── what is stored: comments and order stay ────────────────▶
//! ```
//!
//! Content belongs to a file of a service in an environment. The bytes are what is stored; everything here reads them
//! and never rewrites what it was not asked to. Time, randomness and keys are arguments.
//!
//! - [`Config`], [`ConfigName`], [`ContentHash`]: a file as a document, its name, and the name of its content.
//! - [`mod@format`]: the formats, and parsing into a tree in which each value knows where it was written.
//! - [`mod@diff`]: what changed between two contents, by value and line by line.
//! - [`mod@merge`]: layers over each other, and where each value of the result was written.
//! - `schema` (the feature of that name): JSON Schemas that content must fit.
//! - [`seal`]: single values encrypted where they stand, bound to their place.
//! - [`Draft`], [`Approval`]: releases that several people agree on before they are made.
//! - [`promotion`]: what it means to release in one environment what another one runs.
//! - [`bundle`]: many files outside the platform, as a folder or an archive.
//! - [`import`]: files out of the exports of other systems.
//! - [`gray`]: which listeners get content before the others do.

mod approval;
pub mod bundle;
pub mod diff;
mod document;
mod draft;
pub mod format;
pub mod gray;
mod hash;
pub mod import;
mod listeners;
pub mod merge;
mod name;
pub mod promotion;
#[cfg(feature = "schema")]
pub mod schema;
pub mod seal;

pub use approval::{Approval, Takes};
pub use diff::{ContentDiff, diff, unified};
pub use document::{Config, GrayRelease, Judgement};
pub use draft::{Approved, DRAFTS, Draft, DraftRow, Drafts, drafts_key, drafts_of};
pub use format::{Format, Node, ParseError, Parsed, Position, Value, parse};
pub use gray::{Gray, Listener};
pub use hash::{ContentHash, ContentHashError};
pub use listeners::{ListenerRow, ListenerState, Running};
pub use merge::{Effective, Layer, MergeError, Origin, Source, merge};
pub use name::{ConfigName, SHARED};
pub use promotion::{Audience, Hidden, Outcome, Promotion, ReaderChange};
