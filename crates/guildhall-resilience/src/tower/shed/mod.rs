//! Load shedding: what matters least goes first, by queue delay, by how much of an adaptive limit is in use, or both.
//!
//! Delays come from wherever requests queue: a [bulkhead layer](super::bulkhead::BulkheadLayer::with_delays) tells them,
//! or the caller does.
//!
//! ```
//! use guildhall_resilience::shed::{Criticality, DelayShed, DelayShedConfig};
//! use guildhall_resilience::tower::shed::ShedLayer;
//! use std::{sync::Arc, time::Instant};
//!
//! let delays = Arc::new(DelayShed::new(DelayShedConfig::default(), Instant::now()));
//! let layer = ShedLayer::new(7, |request: &http::Request<()>| match request.method().as_str() {
//!     "GET" => Criticality::SheddablePlus,
//!     _ => Criticality::Critical,
//! })
//! .by_delay(delays);
//! # let _ = layer;
//! ```

mod future;
mod layer;

pub use future::ShedFuture;
pub use layer::{ShedLayer, Shedding};
