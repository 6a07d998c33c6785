//! The layer and its service.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use tower_layer::Layer;
use tower_service::Service;

use super::RetryFuture;
use crate::{
    retry::{Budget, RetryPolicy},
    tower::{Rules, seeds::Seeds},
};

/// Wraps services in [`Retry`].
///
/// A change of the policy is a new layer over the same budget.
#[derive(Clone, Debug)]
pub struct RetryLayer<R> {
    policy: RetryPolicy,
    budget: Arc<Budget>,
    rules: R,
    seeds: Seeds,
}

impl<R> RetryLayer<R> {
    /// Retries by `policy`, as far as `budget` allows; requests are read by `rules`.
    pub fn new(policy: RetryPolicy, budget: Arc<Budget>, rules: R) -> Self {
        Self {
            policy,
            budget,
            rules,
            seeds: Seeds::new(fastrand::u64(..)),
        }
    }

    /// The same with pauses that are drawn alike each time, for tests.
    #[must_use]
    pub fn with_seed(self, seed: u64) -> Self {
        Self {
            seeds: Seeds::new(seed),
            ..self
        }
    }
}

impl<S, R: Clone> Layer<S> for RetryLayer<R> {
    type Service = Retry<S, R>;

    fn layer(&self, inner: S) -> Retry<S, R> {
        Retry {
            inner,
            policy: self.policy,
            budget: self.budget.clone(),
            rules: self.rules.clone(),
            seeds: self.seeds.clone(),
        }
    }
}

/// Sends failed requests again.
#[derive(Clone, Debug)]
pub struct Retry<S, R> {
    inner: S,
    pub(super) policy: RetryPolicy,
    pub(super) budget: Arc<Budget>,
    pub(super) rules: R,
    pub(super) seeds: Seeds,
}

impl<S, R, Req> Service<Req> for Retry<S, R>
where
    S: Service<Req> + Clone,
    R: Rules<Req, S::Response, S::Error> + Clone,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = RetryFuture<S, R, Req>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Req) -> Self::Future {
        // The one that is ready goes with the request; the clone takes its place.
        let next = self.inner.clone();
        let ready = std::mem::replace(&mut self.inner, next);
        RetryFuture::new(self, ready, request)
    }
}
