//! The crate from outside, pattern by pattern.
#![cfg(not(loom))]

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
mod retry;
mod shed;
mod tower_limits;
