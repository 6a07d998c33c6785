//! The control store: one ordered map of keys with one global revision, compare-and-set transactions, watches, leases
//! and blobs.
//!
//! [`Store`] is the contract, worded so that the embedded engine and etcd can both keep it. Callers hold an
//! `Arc<dyn Store>` and never see an engine.
//!
//! - [`Transaction`] in, [`Committed`] or [`CommitError`] out: all or nothing, one revision each.
//! - [`Range`] → [`Page`]: every page of one range shows the same revision.
//! - [`Watch`]: every later revision in order, or an error that says to resynchronise; never silently less.
//! - [`LeaseId`]: keys that vanish when their owner stops renewing.
//! - [`BlobHash`]: bytes kept by their hash, durable before the commit that names them.
//!
//! [`embedded::Embedded`] is the engine on this machine's disk. The feature `conformance` has the tests that any engine
//! must pass.

#[cfg(feature = "conformance")]
pub mod conformance;
pub mod embedded;

mod blob;
mod entry;
mod error;
mod lease;
mod range;
mod snapshot;
mod status;
mod store;
mod transaction;
mod watch;

pub use blob::{Blob, BlobHash, BlobHashError, MAX_BLOB_BYTES};
pub use entry::Entry;
pub use error::{
    BlobError, CommitError, CompactError, LeaseError, ReadError, ReadOnly, SnapshotError,
    TransactionError, Unavailable, WatchError,
};
pub use lease::LeaseId;
pub use range::{Page, Range};
pub use snapshot::{Snapshot, SnapshotChunks};
pub use status::Status;
pub use store::{BoxFuture, Store};
pub use transaction::{
    Committed, Compare, Condition, MAX_OPERATIONS, MAX_TRANSACTION_BYTES, Op, Transaction,
};
pub use watch::{Event, Progress, Watch, WatchBatch, WatchItem, WatchSource};
