//! Rate limits: [`RateLimitLayer`] refuses what is too much, [`PaceLayer`] lets it wait its turn.
//!
//! A rate limit stands outermost, before anything is spent on a request. Limiters are shared: clones of a service, and
//! services of several routes, may hold the same one.
//!
//! ```
//! use guildhall_resilience::limiter::{Gcra, Keyed, Quota};
//! use guildhall_resilience::tower::limiter::{ByKey, RateLimitLayer};
//! use std::{sync::Arc, time::Instant};
//!
//! # let now = Instant::now();
//! let all = RateLimitLayer::new(Arc::new(Gcra::new(Quota::per_second(1_000)?, now)));
//! // And ten a second for each client, of which ten thousand are remembered.
//! let clients: Keyed<String> = Keyed::new(Quota::per_second(10)?, 10_000, now)?;
//! fn client(request: &http::Request<()>) -> Option<&str> {
//!     request.headers().get("x-client-id")?.to_str().ok()
//! }
//! let each = RateLimitLayer::new(ByKey::new(Arc::new(clients), client));
//! # let _ = (all, each);
//! # Ok::<(), guildhall_resilience::ConfigError>(())
//! ```

mod future;
mod layer;
mod limit;

pub use future::{PaceFuture, RateLimitFuture};
pub use layer::{Pace, PaceLayer, Paced, RateLimitLayer, RateLimited};
pub use limit::{ByKey, Limit};
