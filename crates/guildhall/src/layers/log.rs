//! One line per request. The query is left out: it may hold secrets.

use axum::{extract::Request, middleware::Next, response::Response};

use crate::{RequestContext, clock};

pub(super) async fn write(request: Request, next: Next) -> Response {
    let began = clock::now();
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let response = next.run(request).await;
    let ms = clock::now().saturating_duration_since(began).as_secs_f64() * 1e3;
    let context = RequestContext::current();
    tracing::info!(
        target: "guildhall::request",
        %method,
        path,
        status = response.status().as_u16(),
        ms = format_args!("{ms:.3}"),
        request_id = context.as_ref().map_or("", RequestContext::request_id),
        "answered"
    );
    response
}
