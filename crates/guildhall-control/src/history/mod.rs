//! The versions of the documents that operators write: what was said, by whom, why; and back to it.
//!
//! What a version is, which there are and what is given up are
//! [`guildhall_core::history`]'s to say. [`past`] adds to a write's transaction what makes it a
//! version, so that neither is there without the other; [`History`] reads, rolls back and tags.
//! docs/design/history.md has the keys and the argument.

mod handle;
mod options;
pub(crate) mod past;
mod tags;

pub use handle::{History, Recorded, Versions};
pub use options::HistoryOptions;

pub(crate) use past::{Note, Past, Standing};
