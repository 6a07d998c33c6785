//! Circuit breaking: requests to a service that fails are turned away until it is back.
//!
//! It stands around each attempt, inside retries and hedges, so that every attempt is evidence. A request that is
//! cancelled (its future dropped) counts as nothing, and gives its probe back.
//!
//! ```
//! use guildhall_resilience::Outcome;
//! use guildhall_resilience::breaker::{Breaker, Config, State};
//! use guildhall_resilience::tower::breaker::BreakerLayer;
//! use std::{sync::Arc, time::Instant};
//! use tower::{BoxError, Service, ServiceBuilder, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let breaker = Arc::new(Breaker::new(Config::default(), 7, Instant::now()));
//! let judge = |result: Result<&u32, &BoxError>| match result {
//!     Ok(_) => Outcome::Success,
//!     Err(_) => Outcome::Failure,
//! };
//! let mut service = ServiceBuilder::new()
//!     .layer(BreakerLayer::new(breaker.clone(), judge))
//!     .service(service_fn(|_: ()| async { Err::<u32, BoxError>("down".into()) }));
//! for _ in 0..20 {
//!     assert_eq!(service.call(()).await.unwrap_err().to_string(), "down");
//! }
//! assert_eq!(breaker.state(), State::Open);
//! let error = service.call(()).await.unwrap_err().to_string();
//! assert!(error.starts_with("rejected by breaker: try again in"));
//! # }
//! ```

mod future;
mod judge;
mod layer;

pub use future::BreakerFuture;
pub use judge::{HttpJudge, Judge};
pub use layer::{BreakerLayer, Broken};
