//! Checkpoints: the owner's state as of one sequence, in a file of its own, so that replay is short and old segments can
//! go.
//!
//! A checkpoint is written to a temporary name, synced, renamed to `{name}-{sequence}.checkpoint`, and the directory is
//! synced. Only then may the owner call [`crate::Log::drop_before`]. A file that has its final name was therefore whole:
//! whatever is wrong with it later is damage.
//!
//! The order that keeps everything: commit up to `sequence` → [`Writer`] … [`Writer::finish`] →
//! `log.drop_before(sequence.next())`. On start: [`latest`] → load → `Log::open(…, Start::At(sequence.next()), …)`.
//!
//! The file is a header, then blocks, then an empty block that states how many there were:
//!
//! | header | bytes | | block | bytes | |
//! |---|---|---|---|---|---|
//! | 0 | 8 | `GHLOGCKP` | 0 | 4 | CRC-32C of the rest of the block, continued from the seed |
//! | 8 | 4 | format version | 4 | 4 | payload length; 0 in the closing block |
//! | 12 | 4 | CRC-32C of the other 28 bytes | 8 | 8 | number of blocks before this one |
//! | 16 | 8 | sequence | 16 | | payload |
//! | 24 | 8 | salt | | | |

mod format;
mod reader;
mod writer;

pub use reader::{Reader, latest};
pub use writer::Writer;
