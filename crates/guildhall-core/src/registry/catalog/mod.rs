//! The registry as everybody reads it: services, their versions and their instances.
//!
//! A [`Catalog`] folds documents one change at a time. The control plane, the gateway and the SDK
//! all fold with this one type, so that they cannot disagree about what is registered. Its maps
//! are persistent: a clone costs a few reference counts and shares all memory, a change costs
//! O(log n) and copies only the path to what it touched, so that a snapshot is simply a clone.
//!
//! - `entry`: one service with all that is registered for it.
//! - `tombstones`: what is remembered of services that are gone.

mod entry;
mod fold;
mod tombstones;

pub use entry::ServiceEntry;
pub use fold::{Catalog, Touched};
