//! Resilience rules as pure state machines: time and randomness are arguments.
//!
//! Depends on no Guildhall crate; the gateway and the SDK use the same ones.
//!
//! - [`balance`]: which of several endpoints takes the next request.
//!
//! A refusal of any of them turns into a [`Rejection`]; how a call ended goes in as an [`Outcome`]. The feature
//! `tower` (on by default) adds the module `tower`, with a layer for each.

pub mod balance;
mod outcome;
mod rejection;
#[expect(dead_code, unused_imports, reason = "until the first atomics are in")]
mod sync;
#[cfg(feature = "tower")]
pub mod tower;

pub use outcome::Outcome;
pub use rejection::{Pattern, Rejection};
