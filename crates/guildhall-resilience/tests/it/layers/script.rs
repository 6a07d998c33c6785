//! A service that does what a script says, and requests of HTTP to ask it with.

use std::{
    collections::VecDeque,
    future::Future,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use http::{HeaderMap, Request, Response};
use tokio::time::{Instant, sleep};
use tower::{BoxError, Service};

/// How one attempt ends.
#[derive(Clone, Debug)]
pub(super) enum End {
    /// With this status and body.
    Status(u16),
    /// With this status and a `Retry-After`.
    RetryAfter(u16, &'static str),
    /// With an error that is a broken connection.
    Broken,
}

/// An attempt that arrived.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) after: Duration,
    pub(super) headers: HeaderMap,
    pub(super) body: &'static str,
}

/// Answers attempt for attempt; the last line of the script stands for all that follow.
#[derive(Clone, Debug)]
pub(super) struct Script {
    lines: Arc<Mutex<VecDeque<(Duration, End)>>>,
    seen: Arc<Mutex<Vec<Seen>>>,
    answered: Arc<AtomicU32>,
    start: Instant,
}

impl Script {
    /// Lines of (how long it takes, how it ends).
    pub(super) fn new(lines: impl IntoIterator<Item = (u64, End)>) -> Self {
        let lines = lines
            .into_iter()
            .map(|(millis, end)| (Duration::from_millis(millis), end));
        Self {
            lines: Arc::new(Mutex::new(lines.collect())),
            seen: Arc::default(),
            answered: Arc::default(),
            start: Instant::now(),
        }
    }

    /// The attempts that arrived.
    pub(super) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// When they arrived, in milliseconds.
    pub(super) fn times(&self) -> Vec<u128> {
        self.seen()
            .iter()
            .map(|seen| seen.after.as_millis())
            .collect()
    }

    /// How many were answered; those that were cancelled are not.
    pub(super) fn answered(&self) -> u32 {
        self.answered.load(Ordering::SeqCst)
    }
}

impl Service<Request<&'static str>> for Script {
    type Response = Response<&'static str>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<&'static str>) -> Self::Future {
        self.seen.lock().unwrap().push(Seen {
            after: self.start.elapsed(),
            headers: request.headers().clone(),
            body: request.into_body(),
        });
        let (time, end) = {
            let mut lines = self.lines.lock().unwrap();
            if lines.len() > 1 {
                lines.pop_front().unwrap()
            } else {
                lines[0].clone()
            }
        };
        let answered = self.answered.clone();
        Box::pin(async move {
            sleep(time).await;
            answered.fetch_add(1, Ordering::SeqCst);
            match end {
                End::Status(status) => {
                    Ok(Response::builder().status(status).body("served").unwrap())
                }
                End::RetryAfter(status, after) => Ok(Response::builder()
                    .status(status)
                    .header("retry-after", after)
                    .body("served")
                    .unwrap()),
                End::Broken => Err("the connection broke".into()),
            }
        })
    }
}

/// A request of this method, with a body.
pub(super) fn request(method: &str) -> Request<&'static str> {
    Request::builder()
        .method(method)
        .uri("/orders/7")
        .body("asked")
        .unwrap()
}
