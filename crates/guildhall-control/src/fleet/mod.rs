//! The fleet: what gateways and SDKs report of their breakers and limits.
//!
//! All of it is soft state in the memory of the process that was told. It decides nothing but how limits are divided
//! that many hold to (`shares`), is not written anywhere, and goes after a while of silence; whoever reports tells
//! everything again to a process that does not know it. It has an index of its own, which has nothing to do with that of
//! documents.

mod board;
mod handle;
mod options;
mod service;
mod shares;

#[cfg(test)]
mod tests;

pub use board::{BreakerFilter, Pair};
pub use handle::{Breakers, Fleet};
pub use options::FleetOptions;

pub(crate) use handle::Known;
pub(crate) use service::run;
