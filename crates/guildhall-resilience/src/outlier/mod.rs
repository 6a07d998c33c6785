//! Outlier ejection: takes endpoints that fail out of the balancer, each for a while, and back in again.
//!
//! A breaker judges a service as a whole; this judges its endpoints one by one, and only as long as most of them are
//! well. The rules and their defaults are Envoy's (its documentation, "Outlier detection"): consecutive failures,
//! consecutive gateway failures, success rate against the peers', failure percentage; an ejection lasts as many base
//! times as it is ejections in a row, and earlier ones are forgotten one an interval.
//!
//! Where it differs from Envoy, and why:
//!
//! - An endpoint whose time is over is [eligible](Endpoint::is_ejected) by time alone, not by the next sweep: nothing
//!   that is ejected can be forgotten.
//! - The state is kept by key and outside the set: an endpoint that leaves and comes back, and the neighbours of one that
//!   does, keep theirs.
//! - A request that began before an ejection says nothing of the endpoint that came back ([`Ticket`]).
//! - The last endpoint is never ejected, and one of two or more always may be; among outliers of one sweep the worst go
//!   first.
//! - What comes back has [a time since then](Endpoint::back_for), for the balancer's slow start.
//!
//! ```
//! use guildhall_resilience::outlier::{Config, Event, Observed, Outlier};
//! use std::time::{Duration, Instant};
//!
//! let now = Instant::now();
//! let outlier = Outlier::new(Config::default(), now)?;
//! let endpoints = outlier.members(["10.0.0.1:80", "10.0.0.2:80"], now);
//!
//! let bad = &endpoints[1];
//! let mut told = None;
//! for _ in 0..5 {
//!     let ticket = bad.begin();
//!     told = outlier.record(bad, ticket, Observed::Failure, now);
//! }
//! assert!(matches!(told, Some(Event::Ejected { endpoint: "10.0.0.2:80", .. })));
//! // What a balancer's `eligible` asks:
//! assert!(bad.is_ejected(now) && !endpoints[0].is_ejected(now));
//! assert!(!bad.is_ejected(now + Duration::from_secs(30)));
//! # Ok::<(), guildhall_resilience::ConfigError>(())
//! ```

mod config;
mod detector;
mod endpoint;
mod sweep;

pub use config::{Config, FailurePercentage, SuccessRate};
pub use detector::{Event, Outlier, Reason};
pub use endpoint::{Endpoint, Observed, Ticket};
