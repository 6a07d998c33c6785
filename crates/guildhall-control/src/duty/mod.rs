//! Who does the background duties: one process at a time, by a leased key in the store.
//!
//! Every write of a duty compares the key's revision, so that one whose owner was away for too
//! long is refused, whatever the owner believes. The embedded store has one owner; the code is
//! the same.

mod options;
mod service;

pub use options::DutyOptions;

pub(crate) use service::{Duty, first, release, run};
