//! Who waits for which change, and how it reaches them.
//!
//! - [`Scope`]: which documents somebody watches.
//! - [`Subscription`]: a stream of [`Event`]s of one scope, without gaps or with a `resync`.
//! - `feed`: what everyone is told who watches the same, decided and queued once.
//! - `hub`: the feeds, keyed so that a change wakes only those whose scope holds it.
//! - `poll`: the long poll, which waits for the next change without a queue.
//!
//! Nothing here has a task or a timer of its own: an idle watcher is a few hundred bytes.

mod event;
mod feed;
mod hub;
mod options;
mod poll;
mod scope;
mod source;
mod subscription;

pub use event::Event;
pub use guildhall_core::source::EventKind;
pub use hub::HubStatistics;
pub use options::WatchOptions;
pub use poll::Polled;
pub use scope::{Kinds, Scope};
pub use source::Source;
pub use subscription::Subscription;

pub(crate) use event::DocumentChange;
pub(crate) use hub::Hub;
pub(crate) use poll::changed;
pub(crate) use scope::Sight;
