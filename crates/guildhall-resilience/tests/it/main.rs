//! The crate from outside, pattern by pattern.
#![cfg(not(loom))]

mod alloc;
mod balance;
