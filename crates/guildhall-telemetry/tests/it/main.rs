//! What the crate promises, through its public face.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "tests fail by panicking, in their helpers too"
)]

mod blocks;
mod damage;
mod decoding;
mod fleet;
mod store;
