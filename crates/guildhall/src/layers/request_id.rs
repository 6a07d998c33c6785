//! Gives each request its id: the caller's `X-Request-ID` if it is usable, else a new one.

use axum::{extract::Request, middleware::Next, response::Response};
use guildhall_api::wire::header::REQUEST_ID;

use crate::RequestContext;

pub(super) async fn assign(mut request: Request, next: Next) -> Response {
    let context = RequestContext::of(request.headers());
    let id = context.id_header();
    request.extensions_mut().insert(context.clone());
    let mut response = context.scope(next.run(request)).await;
    response.headers_mut().insert(REQUEST_ID, id);
    response
}
