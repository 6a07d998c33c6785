//! Resilience rules as pure state machines: time and randomness are arguments.
//!
//! Depends on no Guildhall crate; the gateway and the SDK use the same ones.
//!
//! - [`adaptive`]: how many requests at once, found out by latency.
//! - [`balance`]: which of several endpoints takes the next request.
//! - [`breaker`]: whether a service is called at all while it fails.
//! - [`bulkhead`]: how many requests at once, and who waits for a place.
//! - [`classify`]: what the end of a call says about the service.
//! - [`limiter`]: how many requests in how much time.
//! - [`outlier`]: which endpoints are taken out of the balancer for a while.
//! - [`retry`]: whether a failed request is sent again, and when.
//! - [`hedge`]: whether and when a second attempt is sent while the first still runs.
//! - [`deadline`]: how long anybody still waits, inherited and shrinking.
//! - [`fallback`]: what is answered when a request cannot be.
//! - [`shed`]: what goes first when there is too much.
//!
//! A refusal of any of them turns into a [`Rejection`]; how a call ended goes in as an [`Outcome`]. The feature
//! `tower` (on by default) adds the module `tower`, with a layer for each.

pub mod adaptive;
pub mod balance;
pub mod breaker;
pub mod bulkhead;
pub mod classify;
mod config;
pub mod deadline;
pub mod fallback;
pub mod hedge;
pub mod limiter;
mod linked;
mod origin;
mod outcome;
pub mod outlier;
mod rejection;
pub mod retry;
pub mod shed;
mod sync;
#[cfg(feature = "tower")]
pub mod tower;

pub use config::ConfigError;
pub use outcome::Outcome;
pub use rejection::{Pattern, Rejection};
