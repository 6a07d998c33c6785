//! Deadlines: one for the request, inherited and shrinking, and a timeout for each attempt within it.
//!
//! [`DeadlineLayer`] stands far out: it takes over the caller's deadline if it is nearer than its own limit, turns away
//! what is over already, and ends what takes longer. [`AttemptTimeoutLayer`] stands innermost, below retries: an attempt
//! gets its own limit or what is left, whichever is less, and the next hop is told so.
//!
//! Both end a request with an [`Expired`] in the service's own error type (`S::Error: From<Expired>`), which says whose
//! time ran out.
//!
//! ```
//! use guildhall_resilience::tower::{HttpRules, deadline::{AttemptTimeoutLayer, DeadlineLayer}};
//! use std::time::Duration;
//!
//! let request = DeadlineLayer::new(Some(Duration::from_secs(15)), HttpRules::default());
//! let attempt = AttemptTimeoutLayer::new(Some(Duration::from_secs(2)), HttpRules::default());
//! # let _ = (request, attempt);
//! ```

mod error;
mod future;
mod layer;

pub use error::Expired;
pub use future::DeadlineFuture;
pub use layer::{AttemptTimeout, AttemptTimeoutLayer, DeadlineLayer, Deadlined};
