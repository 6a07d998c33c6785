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
//! - `format`: the formats, and parsing into a tree in which each value knows where it was written.
//! - `diff`: what changed between two contents, by value and line by line.
//! - `merge`: layers over each other, and where each value of the result was written.
//! - `schema`: JSON Schemas that content must fit.
//! - `seal`: single values encrypted where they stand, bound to their place.
//! - [`Draft`], [`Approval`]: releases that several people agree on before they are made.
//! - [`promotion`]: what it means to release in one environment what another one runs.
//! - `bundle`: many files outside the platform, as a folder or an archive.
//! - `import`: files out of the exports of other systems.
//! - [`gray`]: which listeners get content before the others do.
//!
//! What needs a parser or a cipher stands behind a feature of the crate; the documents and what is told of them do not.

mod approval;
#[cfg(feature = "config-import")]
pub mod bundle;
mod changes;
#[cfg(feature = "config-diff")]
pub mod diff;
mod document;
mod draft;
#[cfg(feature = "config")]
pub mod format;
pub mod gray;
mod hash;
#[cfg(feature = "config-import")]
pub mod import;
mod kind;
mod listeners;
#[cfg(feature = "config")]
pub mod merge;
mod name;
mod origin;
mod position;
pub mod promotion;
#[cfg(feature = "schema")]
pub mod schema;
#[cfg(feature = "seal")]
pub mod seal;
mod sight;

pub use approval::{Approval, Takes};
pub use changes::{ContentDiff, ValueChange};
#[cfg(feature = "config-diff")]
pub use diff::{diff, unified};
pub use document::{Config, GrayRelease, Judgement};
pub use draft::{Approved, DRAFTS, Draft, DraftRow, Drafts, drafts_key, drafts_of};
#[cfg(feature = "config")]
pub use format::{Node, ParseError, Parsed, Value, parse};
pub use gray::{Gray, Listener};
pub use hash::{ContentHash, ContentHashError};
pub use kind::{Format, UnknownFormat};
pub use listeners::{ListenerRow, ListenerState, Running};
#[cfg(feature = "config")]
pub use merge::{Effective, Layer, MergeError, merge};
pub use name::{ConfigName, SHARED};
pub use origin::{Origin, Source};
pub use position::Position;
pub use promotion::{Audience, Hidden, Outcome, Promotion, ReaderChange};
pub use sight::Sight;
