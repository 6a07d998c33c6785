//! Bulkheads: so many requests at once in the service below; others wait in order, as long as their deadlines allow.
//!
//! A bulkhead stands around retries and hedges, so that they do not count twice. The place is given back with the
//! answer: for an answer whose body streams, when its head is there.
//!
//! ```
//! use guildhall_resilience::bulkhead::{Bulkhead, BulkheadConfig};
//! use guildhall_resilience::tower::{HttpRules, bulkhead::BulkheadLayer};
//! use std::{sync::Arc, time::Duration};
//!
//! let config = BulkheadConfig::new(100)?.with_queue(50, Duration::from_millis(250))?;
//! let layer = BulkheadLayer::new(Arc::new(Bulkhead::new(config)), HttpRules::default());
//! # let _ = layer;
//! # Ok::<(), guildhall_resilience::ConfigError>(())
//! ```

mod future;
mod layer;

pub use future::BulkheadFuture;
pub use layer::{BulkheadLayer, Bulkheaded};
