//! The layer and its service.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use tower_layer::Layer;
use tower_service::Service;

use super::AdaptiveFuture;
use crate::{Outcome, Rejection, adaptive::Adaptive, tower::clock};

/// Wraps services in [`Adapted`].
#[derive(Clone, Debug)]
pub struct AdaptiveLayer<C> {
    adaptive: Arc<Adaptive>,
    classify: C,
}

impl<C> AdaptiveLayer<C> {
    /// Holds requests to this limit, which learns from what `classify` says of their ends.
    pub fn new(adaptive: Arc<Adaptive>, classify: C) -> Self {
        Self { adaptive, classify }
    }
}

impl<S, C: Clone> Layer<S> for AdaptiveLayer<C> {
    type Service = Adapted<S, C>;

    fn layer(&self, inner: S) -> Adapted<S, C> {
        Adapted {
            inner,
            adaptive: self.adaptive.clone(),
            classify: self.classify.clone(),
        }
    }
}

/// Refuses requests above a limit that adapts.
#[derive(Clone, Debug)]
pub struct Adapted<S, C> {
    inner: S,
    adaptive: Arc<Adaptive>,
    classify: C,
}

impl<S, C, Req> Service<Req> for Adapted<S, C>
where
    S: Service<Req>,
    S::Error: From<Rejection>,
    C: Fn(Result<&S::Response, &S::Error>) -> Outcome + Clone,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = AdaptiveFuture<S::Future, C>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Req) -> Self::Future {
        match Adaptive::acquire(self.adaptive.clone(), clock::now()) {
            Ok(permit) => {
                AdaptiveFuture::running(self.inner.call(request), permit, self.classify.clone())
            }
            Err(at_limit) => AdaptiveFuture::rejected(at_limit.into()),
        }
    }
}
