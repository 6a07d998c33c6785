//! Behaviour of the pure crate through its public surface.
#![expect(clippy::unwrap_used, reason = "a test may stop where it is wrong")]
#![expect(
    clippy::disallowed_methods,
    reason = "monotonic time can only begin at a reading of the clock; all later times are given"
)]

mod catalog;
mod config;
mod contract;
mod decoding;
mod discovery;
mod fixture;
mod graph;
mod health;
mod memory;
mod newer;
mod policy;
