//! A call's way to a service: its context, its deadline, and what becomes of a panic.

use std::panic::AssertUnwindSafe;

use axum::{
    body::Body,
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use futures_util::FutureExt;
use guildhall_api::wire::header::REQUEST_ID;
use guildhall_resilience::deadline::Deadline;
use tokio::time::sleep_until;
use tonic::Status;

use super::{
    answer::{self, Answer},
    record::Record,
};
use crate::{
    RequestContext,
    metrics::GrpcMetrics,
    serve::{Stage, Stages},
};

/// What every call passes.
#[derive(Clone)]
pub(super) struct Chain {
    pub(super) metrics: GrpcMetrics,
    pub(super) stages: Stages,
}

/// Answers a call. What is done on its behalf has its context, and ends with its deadline: nobody waits any longer.
pub(super) async fn answer(
    State(chain): State<Chain>,
    mut request: Request,
    next: Next,
) -> Response {
    let context = RequestContext::of(request.headers());
    request.extensions_mut().insert(context.clone());
    let path = request.uri().path().to_owned();
    let mut record = Record::begin(chain.metrics, path, &context);
    let mut cut = Box::pin(cut(context.deadline(), chain.stages));
    let answered = context
        .clone()
        .scope(AssertUnwindSafe(next.run(request)).catch_unwind());
    let answered = tokio::select! {
        answered = answered => answered.unwrap_or_else(|panic| {
            answer::panicked(&*panic, context.request_id()).into_http()
        }),
        status = &mut cut => status.into_http(),
    };
    let (mut head, body) = answered.into_parts();
    head.headers.insert(REQUEST_ID, context.id_header());
    if let Some(code) = answer::code(&head.headers) {
        record.end(code);
    }
    Response::from_parts(head, Body::new(Answer::new(body, context, cut, record)))
}

/// Waits until nobody waits for the answer any more, or nobody is left to give it.
async fn cut(deadline: Deadline, stages: Stages) -> Status {
    let over = async {
        match deadline.at() {
            Some(at) => sleep_until(at.into()).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = over => Status::deadline_exceeded("the call's deadline is over"),
        () = stages.reached(Stage::Over) => {
            Status::unavailable("the service has stopped, and the call took longer than it waits")
        }
    }
}
