//! The layer and its service.

use std::{
    fmt,
    sync::{Arc, Mutex},
    task::{Context, Poll},
};

use tower_layer::Layer;
use tower_service::Service;

use super::{Answers, FallbackFuture};
use crate::{
    fallback::{FallbackPlan, LastGood},
    tower::Rules,
};

/// What the service and its requests share.
pub(super) struct Shared<A, R, K, Res> {
    pub(super) plan: FallbackPlan,
    pub(super) answers: A,
    pub(super) rules: R,
    /// Taken for a good answer that is kept, and for a failure.
    pub(super) kept: Arc<Mutex<LastGood<K, Res>>>,
}

/// Wraps services in [`Fallback`].
pub struct FallbackLayer<A, R, K, Res, O> {
    shared: Arc<Shared<A, R, K, Res>>,
    other: Option<O>,
}

impl<A, R, K, Res, O> FallbackLayer<A, R, K, Res, O> {
    /// Answers by `plan` with `answers`; requests are read by `rules`. `kept` holds the last good answers; a change of
    /// the plan is a new layer over the same. `other` is the other service, if the plan asks one: without it that
    /// source is passed over.
    pub fn new(
        plan: FallbackPlan,
        answers: A,
        rules: R,
        kept: Arc<Mutex<LastGood<K, Res>>>,
        other: Option<O>,
    ) -> Self {
        let shared = Shared {
            plan,
            answers,
            rules,
            kept,
        };
        Self {
            shared: Arc::new(shared),
            other,
        }
    }
}

impl<A, R, K, Res, O: Clone> Clone for FallbackLayer<A, R, K, Res, O> {
    fn clone(&self) -> Self {
        Self {
            shared: self.shared.clone(),
            other: self.other.clone(),
        }
    }
}

impl<A, R, K, Res, O> fmt::Debug for FallbackLayer<A, R, K, Res, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FallbackLayer")
            .field("plan", &self.shared.plan)
            .finish_non_exhaustive()
    }
}

impl<S, A, R, K, Res, O: Clone> Layer<S> for FallbackLayer<A, R, K, Res, O> {
    type Service = Fallback<S, A, R, K, Res, O>;

    fn layer(&self, inner: S) -> Self::Service {
        Fallback {
            inner,
            shared: self.shared.clone(),
            other: self.other.clone(),
        }
    }
}

/// Answers when the service cannot.
pub struct Fallback<S, A, R, K, Res, O> {
    inner: S,
    shared: Arc<Shared<A, R, K, Res>>,
    other: Option<O>,
}

impl<S: Clone, A, R, K, Res, O: Clone> Clone for Fallback<S, A, R, K, Res, O> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            shared: self.shared.clone(),
            other: self.other.clone(),
        }
    }
}

impl<S: fmt::Debug, A, R, K, Res, O> fmt::Debug for Fallback<S, A, R, K, Res, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fallback")
            .field("inner", &self.inner)
            .field("plan", &self.shared.plan)
            .finish_non_exhaustive()
    }
}

impl<S, A, R, O, Req> Service<Req> for Fallback<S, A, R, A::Key, S::Response, O>
where
    S: Service<Req>,
    O: Service<Req, Response = S::Response, Error = S::Error> + Clone,
    A: Answers<Req, S::Response>,
    R: Rules<Req, S::Response, S::Error>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = FallbackFuture<S::Future, A, R, A::Key, S::Response, O, Req>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Req) -> Self::Future {
        let shared = self.shared.clone();
        let key = match shared.plan.keeps() {
            Some(_) => shared.answers.key(&request),
            None => None,
        };
        // What cannot be sent twice is not asked of another service.
        let other = self.other.clone().and_then(|other| {
            let request = shared.rules.again(&request)?;
            Some((other, request))
        });
        FallbackFuture::new(self.inner.call(request), shared, key, other)
    }
}
