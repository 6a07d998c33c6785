//! How what checks find becomes a document's status.
//!
//! Only transitions are written: `transitions` gathers them, one task commits up to 128
//! operations of many instances in one transaction, under `live/status/…` and `timeline/…`,
//! fenced by the duty's key. An operator's maintenance goes the same way, durable when answered.

mod maintenance;
mod options;
mod service;
mod transitions;
mod unit;

pub use options::StatusOptions;

pub(crate) use maintenance::maintenance;
pub(crate) use service::run;
pub(crate) use transitions::{Found, Transitions};
