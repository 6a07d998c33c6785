//! The log as its owners see it: what it keeps, what it refuses, and what survives a power loss.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod checkpoint;
mod committer;
mod damage;
mod faults;
mod location;
mod lock;
mod power_loss;
mod reader;
mod segments;
mod support;
mod torn;
