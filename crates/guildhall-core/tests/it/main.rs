//! Behaviour of the pure crate through its public surface.

mod catalog;
mod contract;
mod decoding;
mod discovery;
mod fixture;
mod graph;
mod health;
mod memory;
