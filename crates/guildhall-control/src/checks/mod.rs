//! Who checks instances, and when.
//!
//! - `board`: every check there is, with its machine, in one queue by time. Soft state: heartbeats
//!   and results live here and are gone with the process.
//! - `service`: the task that follows the registry, asks the board what is due and runs it.
//! - `probe`: how one check is run.
//!
//! What a result means is decided by the machines of `guildhall_core::registry::health`; what
//! they decide is written by [`status`](crate::status).

mod board;
mod options;
mod probe;
mod queue;
mod service;
mod table;
mod watched;

pub use board::CheckStatistics;
pub use options::CheckOptions;

pub(crate) use board::{Board, Reported};
pub(crate) use service::{run, scope};
pub(crate) use table::Said;
