//! Resilience rules as pure state machines: time and randomness are arguments.
//!
//! Depends on no Guildhall crate; the gateway and the SDK use the same ones.
//!
//! - [`balance`]: which of several endpoints takes the next request.

pub mod balance;
