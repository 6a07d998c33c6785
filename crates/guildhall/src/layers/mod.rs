//! What every request to the author's routes passes, outermost first:
//!
//! 1. [`request_id`]: gives the request its id and context, so that everything below has them.
//! 2. [`log`]: one line per request, also of those that panic.
//! 3. [`metrics`]: counted and timed as answered.
//! 4. [`panic`]: a panic in a handler becomes a 500, before it reaches what counts and logs.

mod log;
mod metrics;
mod panic;
mod request_id;

use axum::{Router, middleware::from_fn, middleware::from_fn_with_state};

use crate::metrics::HttpMetrics;

/// The author's routes under the chain. The last layer added is the first to see a request.
pub(crate) fn chain(router: Router, http: HttpMetrics) -> Router {
    router
        .layer(from_fn(panic::catch))
        .layer(from_fn_with_state(http, metrics::observe))
        .layer(from_fn(log::write))
        .layer(from_fn(request_id::assign))
}
