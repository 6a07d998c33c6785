//! Sends failed requests again, by a [`RetryPolicy`](crate::retry::RetryPolicy) and a shared budget.
//!
//! What could not be retried is handed on as it came: the last answer or error. So this layer has no error of its own;
//! the reason goes to [`Rules::decided`](super::Rules::decided).
//!
//! ```
//! use guildhall_resilience::retry::{Budget, BudgetConfig, RetryPolicy};
//! use guildhall_resilience::tower::{HttpRules, retry::RetryLayer};
//! use std::{sync::Arc, time::Instant};
//!
//! let budget = Arc::new(Budget::new(BudgetConfig::default(), Instant::now()));
//! let layer = RetryLayer::new(RetryPolicy::default(), budget, HttpRules::default());
//! # let _ = layer;
//! ```

mod future;
mod layer;

pub use future::RetryFuture;
pub use layer::{Retry, RetryLayer};
