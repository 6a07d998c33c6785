//! The layer and its service.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use tower_layer::Layer;
use tower_service::Service;

use super::HedgeFuture;
use crate::{hedge::Hedge, retry::Budget, tower::Rules};

/// Wraps services in [`Hedged`].
#[derive(Clone, Debug)]
pub struct HedgeLayer<R> {
    hedge: Arc<Hedge>,
    budget: Arc<Budget>,
    rules: R,
}

impl<R> HedgeLayer<R> {
    /// Hedges by `hedge`, as far as `budget` allows; requests are read by `rules`.
    pub fn new(hedge: Arc<Hedge>, budget: Arc<Budget>, rules: R) -> Self {
        Self {
            hedge,
            budget,
            rules,
        }
    }
}

impl<S, R: Clone> Layer<S> for HedgeLayer<R> {
    type Service = Hedged<S, R>;

    fn layer(&self, inner: S) -> Hedged<S, R> {
        Hedged {
            inner,
            hedge: self.hedge.clone(),
            budget: self.budget.clone(),
            rules: self.rules.clone(),
        }
    }
}

/// Sends a second attempt while the first still runs.
#[derive(Clone, Debug)]
pub struct Hedged<S, R> {
    inner: S,
    pub(super) hedge: Arc<Hedge>,
    pub(super) budget: Arc<Budget>,
    pub(super) rules: R,
}

impl<S, R, Req> Service<Req> for Hedged<S, R>
where
    S: Service<Req> + Clone,
    R: Rules<Req, S::Response, S::Error> + Clone,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = HedgeFuture<S, R, Req>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Req) -> Self::Future {
        // The one that is ready goes with the request; the clone takes its place.
        let next = self.inner.clone();
        let ready = std::mem::replace(&mut self.inner, next);
        HedgeFuture::new(self, ready, request)
    }
}
