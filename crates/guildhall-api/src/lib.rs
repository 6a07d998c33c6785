//! The native API: what goes over the wire, a client for it, and a source of snapshots on top.
//!
//! - [`wire`]: bodies, headers, paths, errors and the event stream, as both sides speak them. Pure.
//! - [`client`]: typed calls with failover, timeouts and reading one's own writes.
//! - [`source`]: a [`SnapshotSource`](guildhall_core::source::SnapshotSource) over the watch, with
//!   a copy on disk, so that its user restarts while the control plane is away.
//! - [`report`]: reports of breakers and limits, carried without anybody waiting for them.
//!
//! Used by the server, the gateway, the SDK, the adapters and the command line; it must not know
//! any of them.

mod backoff;
pub mod client;
pub mod report;
pub mod source;
pub mod wire;

pub use backoff::Backoff;
