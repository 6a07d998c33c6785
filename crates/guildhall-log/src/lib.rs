//! The one durable primitive: a segmented, checksummed, group-committed append log.
//!
//! The control store, the telemetry write-ahead log and the message bus all stand on it. It knows bytes and sequence
//! numbers; what a record means is its owner's affair. It needs no async runtime: threads are `std`'s, and of tokio
//! only the runtime-free `sync` primitives are used, so that futures here can be awaited on any executor.
//!
//! ```text
//! requests ─▶ Committer (one thread) ─▶ Machine::stage ─▶ Log::stage … ─▶ Log::commit: one write, one fdatasync
//!                                      Machine::committed ◀──────────────────┘        │
//!                                                            Tail, Reader ◀── durable sequence
//! ```
//!
//! - [`Log`] is the synchronous single-owner writer; [`Log::open`] recovers what is there.
//! - [`Committer`] drives a [`Machine`] on one thread, so that all who wait share one sync; [`Appender`] is the simple
//!   machine that only appends bytes.
//! - [`View`] is what others may see of a log: [`Reader`]s from any kept sequence, the durable [`Tail`], [`Stats`], and
//!   single records by their [`Location`], for owners that keep an index.
//! - [`checkpoint`] writes and reads the files that bound replay; [`Log::drop_before`] then gives segments back.
//! - [`files`] is the seam below all of it, which the power-loss tests drive with `guildhall_testkit::files`.
//!
//! What is promised, and why it holds after power loss, is argued in [`recover`].

pub mod checkpoint;
pub mod files;
pub mod recover;

mod appender;
mod block_on;
mod clock;
mod committer;
mod error;
mod frame;
mod location;
mod log;
mod options;
mod reader;
mod scan;
mod segment;
mod sequence;
mod spare;
mod stats;
mod view;

pub use appender::{AppendError, Appender, Pending};
pub use committer::{Committer, CommitterOptions, Machine, Stopped, SubmitError, Submitter};
pub use error::{CommitError, Damage, OpenError, ReadError, TooLarge};
pub use location::{Kept, Location};
pub use log::{Log, Opened};
pub use options::{OnDamage, Options, Start, Zeroing};
pub use reader::{Reader, Record};
pub use sequence::Sequence;
pub use stats::{Stats, StatsSnapshot};
pub use view::{Closed, Tail, View};
