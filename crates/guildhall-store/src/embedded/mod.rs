//! The embedded engine: the log is the database.
//!
//! ```text
//!  log/   format            which version, which incarnation
//!         segments          one record a transaction (or a grant, a lease's end, a compaction)
//!         store-….checkpoint the state as of one record
//!  blobs/ segments          one record a blob, under its hash
//! ```
//!
//! - Current values live in a persistent ordered map in memory ([`tables`](self)); publishing is a pointer swap after
//!   the group's fdatasync, and a snapshot or a page of a range is a clone of the map.
//! - A start reads the last checkpoint and replays the records after it. The log keeps its segments back to the oldest
//!   revision that watchers may resume from, so that a restart costs no watcher its place.
//! - A checkpoint is written beside the commits once the log has grown by as much as the last one is long.
//! - A failed write or a full disk makes the store read-only; a small write every second finds out when it is over. A
//!   failed sync makes it read-only until restart.
//! - Blobs are kept in a log of their own ([`blobs`](self)), so that large contents neither delay commits nor end a store
//!   when one of them is damaged.
//!
//! [`Embedded`] is the engine with its threads (commits, blobs, alarm); [`Offline`] the same without.

mod alarm;
mod blobs;
mod checkpoint;
mod clock;
mod codec;
mod deadlines;
mod dump;
mod engine;
mod entries;
mod feed;
mod format;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
mod history;
mod machine;
mod offline;
mod open;
mod options;
mod published;
mod record;
mod request;
mod restore;
mod shared;
mod stream;
mod tables;
mod worker;
mod writer;

pub use blobs::BlobStatus;
pub use dump::DumpError;
pub use engine::Embedded;
pub use history::HistoryOptions;
pub use offline::Offline;
pub use open::{Directories, OpenError};
pub use options::Options;
pub use restore::Restored;
