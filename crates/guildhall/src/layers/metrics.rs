//! Counts and times each request under its route's pattern.

use axum::{
    extract::{MatchedPath, Request, State},
    middleware::Next,
    response::Response,
};

use crate::{clock, metrics::HttpMetrics};

pub(super) async fn observe(
    State(http): State<HttpMetrics>,
    request: Request,
    next: Next,
) -> Response {
    let began = clock::now();
    let _active = http.enter();
    let method = request.method().clone();
    let path = request.extensions().get::<MatchedPath>().cloned();
    let response = next.run(request).await;
    let took = clock::now().saturating_duration_since(began);
    http.observe(
        &method,
        path.as_ref().map(MatchedPath::as_str),
        response.status(),
        took,
    );
    response
}
