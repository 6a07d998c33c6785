//! Turns a handler's panic into a 500 that says where to look, and nothing of the cause.

use std::{any::Any, panic::AssertUnwindSafe};

use axum::{
    extract::Request,
    middleware::Next,
    response::{IntoResponse, Response},
};
use futures_util::FutureExt;
use guildhall_api::wire::{Code, PROBLEM_JSON, Problem};
use http::{StatusCode, header};

use crate::RequestContext;

pub(super) async fn catch(request: Request, next: Next) -> Response {
    match AssertUnwindSafe(next.run(request)).catch_unwind().await {
        Ok(response) => response,
        Err(panic) => answer(&*panic),
    }
}

fn answer(panic: &(dyn Any + Send)) -> Response {
    let cause = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or(panic.downcast_ref::<&str>().copied());
    let context = RequestContext::current();
    let id = context.as_ref().map_or("", RequestContext::request_id);
    tracing::error!(
        request_id = id,
        cause = cause.unwrap_or("unknown"),
        "a handler panicked"
    );
    let detail = "the service's log has the cause under this request's id";
    let problem = Problem::new(Code::Internal, detail).with_request_id(id);
    (
        StatusCode::INTERNAL_SERVER_ERROR,
        [(header::CONTENT_TYPE, PROBLEM_JSON)],
        problem.to_json(),
    )
        .into_response()
}
