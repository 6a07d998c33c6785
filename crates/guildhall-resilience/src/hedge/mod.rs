//! Hedging: a second attempt while the first still runs, and whichever answers first wins.
//!
//! Where one request in twenty is slow by bad luck (a pause, a full queue, a lost packet), asking a second endpoint
//! after the 95th percentile of latency cuts the tail for 5% more load (Dean and Barroso, "The Tail at Scale", 2013;
//! gRPC proposal A6). Where everything is slow it adds load to what has too much, so that hedges have a
//! [`Budget`](crate::retry::Budget) of their own, and:
//!
//! - Only idempotent requests are hedged: both attempts may be carried out.
//! - Only a body that can be sent again: both are sent in full.
//! - Without enough samples there is no percentile, and no hedge.
//! - A hedge that could not answer before the deadline is not sent.
//! - The loser is cancelled and counts as nothing: [`Outcome::Ignored`](crate::Outcome::Ignored).
//!
//! ```
//! use guildhall_resilience::hedge::*;
//! use guildhall_resilience::retry::{Body, Budget, Idempotency};
//! use std::time::{Duration, Instant};
//!
//! let now = Instant::now();
//! let config = HedgeConfig::after(Duration::from_millis(40));
//! let (hedge, budget) = (Hedge::new(config, now), Budget::new(HedgeConfig::budget(), now));
//!
//! let request = Hedgeable {
//!     sent: 1,
//!     idempotency: Idempotency::of_method("GET"),
//!     body: Body::Empty,
//!     remaining: None,
//! };
//! assert_eq!(hedge.plan(&request, now), HedgeDecision::After(Duration::from_millis(40)));
//! // 40 ms later there is no answer yet:
//! assert_eq!(hedge.fire(&budget, now + Duration::from_millis(40)), Ok(()));
//! ```

mod config;
mod decision;
mod latency;
mod policy;

pub use config::{HedgeConfig, HedgeDelay};
pub use decision::{HedgeDecision, NoHedge};
pub use latency::Latency;
pub use policy::{Hedge, Hedgeable};
