//! The crate from outside, pattern by pattern.
#![cfg(not(loom))]

mod alloc;
mod balance;
mod breaker;
mod deadline;
mod fallback;
mod hedge;
mod layers;
mod limiter;
mod retry;
