//! Which of several endpoints takes the next request.
//!
//! A balancer holds what changes with the set of endpoints (weights, preference); what changes
//! with every request (load, which endpoints were tried) is the caller's and comes in by closure,
//! so that a balancer can be rebuilt at any time without losing a count.

mod p2c;
mod sampler;

pub use p2c::P2c;
