//! Checkpoints: the owner's state as of one sequence, in a file of its own, so that replay is short and old segments can go.
//!
//! A checkpoint is written to a temporary name, synced, renamed to `{name}-{sequence}.checkpoint`, and the directory is
//! synced. Only then may the owner call [`crate::Log::drop_before`]. Its bytes are cut into blocks, each with a seeded
//! checksum, and end with a block that states their number, so that a short or altered file is never taken for whole.
//!
//! The order that keeps everything: commit up to `sequence` → [`Writer`] … [`Writer::finish`] →
//! `log.drop_before(sequence.next())`. On start: [`latest`] → load → `Log::open(…, Start::At(sequence.next()), …)`.

mod reader;
mod writer;

pub use reader::{Reader, latest};
pub use writer::Writer;
