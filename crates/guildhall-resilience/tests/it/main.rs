//! The crate from outside, pattern by pattern.
#![cfg(not(loom))]
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and begins at any time"
)]

mod adaptive;
mod alloc;
mod balance;
mod breaker;
mod bulkhead;
mod deadline;
mod fallback;
mod hedge;
mod layers;
mod limiter;
mod outlier;
mod retry;
mod shed;
mod tower_limits;
