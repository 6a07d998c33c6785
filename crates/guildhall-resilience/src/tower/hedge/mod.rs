//! Sends a second attempt while the first still runs, by a [`Hedge`](crate::hedge::Hedge) and a shared budget.
//!
//! The first answer that is no failure wins; the others are dropped where they are, so that what stands below (a
//! breaker's permit) takes them for cancelled, which is no evidence. If all fail, the last failure is handed on. So this
//! layer has no error of its own. It allocates only when a hedge is sent.
//!
//! ```
//! use guildhall_resilience::{hedge::{Hedge, HedgeConfig}, retry::Budget};
//! use guildhall_resilience::tower::{HttpRules, hedge::HedgeLayer};
//! use std::{sync::Arc, time::Instant};
//!
//! let now = Instant::now();
//! let hedge = Arc::new(Hedge::new(HedgeConfig::quantile(0.95)?, now));
//! let budget = Arc::new(Budget::new(HedgeConfig::budget(), now));
//! let layer = HedgeLayer::new(hedge, budget, HttpRules::default());
//! # let _ = layer;
//! # Ok::<(), guildhall_resilience::ConfigError>(())
//! ```

mod future;
mod layer;

pub use future::HedgeFuture;
pub use layer::{HedgeLayer, Hedged};
