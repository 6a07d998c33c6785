//! The layer and its service.

use std::{
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use tower_layer::Layer;
use tower_service::Service;

use super::BulkheadFuture;
use crate::{
    Rejection,
    bulkhead::{Bulkhead, Entry},
    shed::DelayShed,
    tower::{Rules, clock},
};

/// Wraps services in [`Bulkheaded`].
#[derive(Clone, Debug)]
pub struct BulkheadLayer<R> {
    bulkhead: Arc<Bulkhead>,
    delays: Option<Arc<DelayShed>>,
    rules: R,
}

impl<R> BulkheadLayer<R> {
    /// Requests enter this bulkhead; their deadlines are read by `rules`.
    pub fn new(bulkhead: Arc<Bulkhead>, rules: R) -> Self {
        Self {
            bulkhead,
            delays: None,
            rules,
        }
    }

    /// The same, telling load shedding how long requests queue. Only those that get a place are counted: a queue that
    /// nobody gets through in time is full, and refuses by itself.
    #[must_use]
    pub fn with_delays(self, delays: Arc<DelayShed>) -> Self {
        Self {
            delays: Some(delays),
            ..self
        }
    }
}

impl<S, R: Clone> Layer<S> for BulkheadLayer<R> {
    type Service = Bulkheaded<S, R>;

    fn layer(&self, inner: S) -> Bulkheaded<S, R> {
        Bulkheaded {
            inner,
            bulkhead: self.bulkhead.clone(),
            delays: self.delays.clone(),
            rules: self.rules.clone(),
        }
    }
}

/// Lets so many requests at once into the service below.
#[derive(Clone, Debug)]
pub struct Bulkheaded<S, R> {
    inner: S,
    bulkhead: Arc<Bulkhead>,
    delays: Option<Arc<DelayShed>>,
    rules: R,
}

impl<S, R, Req> Service<Req> for Bulkheaded<S, R>
where
    S: Service<Req> + Clone,
    S::Error: From<Rejection>,
    R: Rules<Req, S::Response, S::Error>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = BulkheadFuture<S, Req>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Req) -> Self::Future {
        let now = clock::now();
        let deadline = self.rules.deadline(&request, now).at();
        // The first poll leaves the task's waker; until then there is nobody to wake, and the first poll asks anyway.
        let wake = || Waker::noop().clone();
        match Bulkhead::enter(self.bulkhead.clone(), deadline, now, wake) {
            Err(refusal) => BulkheadFuture::rejected(refusal.into()),
            Ok(Entry::Admitted(permit)) => {
                if let Some(delays) = &self.delays {
                    delays.record(Duration::ZERO, now);
                }
                BulkheadFuture::running(self.inner.call(request), permit)
            }
            Ok(Entry::Queued(ticket)) => {
                // The one that is ready goes with the request; the clone takes its place.
                let next = self.inner.clone();
                let ready = std::mem::replace(&mut self.inner, next);
                BulkheadFuture::waiting(ticket, now, self.delays.clone(), ready, request)
            }
        }
    }
}
