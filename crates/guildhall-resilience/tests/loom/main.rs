//! Every interleaving of small models, under loom: `RUSTFLAGS="--cfg loom"`, without the feature `tower`.
#![cfg(loom)]

mod breaker;
mod budget;
mod limits;
