//! Whether a failed request is sent again, and when.
//!
//! A retry helps when a failure is one endpoint's or one moment's, and harms when it is the whole service's: every
//! caller then sends its load several times over. So a retry has to pass all of these, in this order, and the first
//! that says no is the reason ([`NoRetry`]) that is reported, once:
//!
//! 1. The failure is of a [class](FailureClass) that another attempt may mend, and that the policy retries.
//! 2. Sending twice does no harm: the request is [idempotent](Idempotency), or was certainly not processed.
//! 3. The [body](Body) can be sent again: a streamed one cannot, an empty one always can.
//! 4. Attempts are left.
//! 5. What the server asked for in [`Retry-After`](retry_after) is not too long, and the wait ends before the deadline.
//! 6. The [`Budget`] that all requests to a service share has a retry left.
//!
//! Between attempts it waits with full jitter: see [`Backoff`].
//!
//! ```
//! use guildhall_resilience::retry::*;
//! use std::time::{Duration, Instant};
//!
//! let now = Instant::now();
//! let policy = RetryPolicy::default();
//! let budget = Budget::new(BudgetConfig::default(), now);
//! let mut random = fastrand::Rng::with_seed(7);
//!
//! budget.deposit(now);
//! let failed = Attempted {
//!     attempts: 1,
//!     class: FailureClass::Unavailable,
//!     idempotency: Idempotency::of_method("GET"),
//!     body: Body::Empty,
//!     retry_after: None,
//!     remaining: Some(Duration::from_secs(3)),
//! };
//! let decision = policy.decide(&failed, Some(&budget), &mut random, now);
//! assert!(matches!(decision, Decision::Retry { after } if after <= Duration::from_millis(25)));
//!
//! let posted = Attempted { idempotency: Idempotency::of_method("POST"), ..failed };
//! let decision = policy.decide(&posted, Some(&budget), &mut random, now);
//! assert_eq!(decision, Decision::GiveUp(NoRetry::NotIdempotent));
//! ```

mod backoff;
mod budget;
mod class;
mod decision;
mod policy;
mod request;
pub mod retry_after;

pub use backoff::Backoff;
pub use budget::{Budget, BudgetConfig, BudgetStatus};
pub use class::{FailureClass, FailureClasses};
pub use decision::{Decision, NoRetry};
pub use policy::{Attempted, RetryPolicy};
pub use request::{Body, Idempotency};
