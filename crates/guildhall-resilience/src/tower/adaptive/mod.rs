//! Adaptive concurrency: as many requests at once as the service below bears, found out by how long they take.
//!
//! ```
//! use guildhall_resilience::Outcome;
//! use guildhall_resilience::adaptive::{Adaptive, AdaptiveConfig};
//! use guildhall_resilience::tower::adaptive::AdaptiveLayer;
//! use std::{sync::Arc, time::Instant};
//!
//! let adaptive = Arc::new(Adaptive::new(AdaptiveConfig::default(), 7, Instant::now()));
//! let layer = AdaptiveLayer::new(adaptive, |result: Result<&u32, &std::io::Error>| match result {
//!     Ok(_) => Outcome::Success,
//!     Err(_) => Outcome::Failure,
//! });
//! # let _ = layer;
//! ```

mod future;
mod layer;

pub use future::AdaptiveFuture;
pub use layer::{Adapted, AdaptiveLayer};
