//! Configuration: files of services in environments, each write of which is a release.
//!
//! ```text
//! write ─▶ content is parsed for its format ─▶ blob (durable) ─▶ document that names it, with its history ─▶ watch
//!                                                                                                              │
//! reader ◀─ effective: the inputs laid over each other, rendered once for all who have the same ones ◀─────────┘
//! ```
//!
//! - `write`: takes a content out of the document, checks it and keeps it; the document goes the way of all documents.
//! - `check`: what a write would break for those who read.
//! - `approval`, `drafts`: changes that others agree to first, and what waits for that.
//! - `sealing`: values that are kept encrypted, masked or revealed for those who read.
//! - `contents`: bytes by their hash.
//! - `inputs`: which files a reader's is made of.
//! - `effective`: what they come to.
//! - `watch`: a reader who waits for it to change.
//! - `listeners`, `table`: who reads what, and what became of it.
//! - `promote`, `report`: what one environment runs released in another, and what that means there.
//! - `gray`: contents that some get before the others; `judge`, `service`: how they are taken back by themselves.
//!
//! What a reader has is named by a tag that covers every input; a watch compares tags and needs no history.

mod approval;
mod check;
mod contents;
mod drafts;
mod effective;
mod gray;
mod handle;
mod inputs;
mod judge;
mod listeners;
mod options;
mod promote;
mod report;
mod sealing;
mod service;
mod table;
mod watch;
mod write;

pub use effective::Effective;
pub use handle::{Configs, Content};
pub use inputs::{EffectiveQuery, Reader};
pub use options::ConfigOptions;
pub use promote::{Promote, Promoted};
pub use sealing::SealKeys;
pub use watch::EffectiveWatch;

pub(crate) use approval::approved;
pub(crate) use check::Schemas;
pub(crate) use contents::Contents;
pub(crate) use effective::Rendered;
pub(crate) use service::{run, scope};
pub(crate) use table::ListenerTable;
pub(crate) use write::{Asked, Release, removable, write, write_all};
