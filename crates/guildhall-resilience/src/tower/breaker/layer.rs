//! The layer and its service.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use tower_layer::Layer;
use tower_service::Service;

use super::{BreakerFuture, Judge};
use crate::{Rejection, breaker::Breaker, tower::clock};

/// Wraps services in [`Broken`].
#[derive(Clone, Debug)]
pub struct BreakerLayer<J> {
    breaker: Arc<Breaker>,
    judge: J,
}

impl<J> BreakerLayer<J> {
    /// Requests ask this breaker; `judge` says what their answers mean.
    pub fn new(breaker: Arc<Breaker>, judge: J) -> Self {
        Self { breaker, judge }
    }
}

impl<S, J: Clone> Layer<S> for BreakerLayer<J> {
    type Service = Broken<S, J>;

    fn layer(&self, inner: S) -> Broken<S, J> {
        Broken {
            inner,
            breaker: self.breaker.clone(),
            judge: self.judge.clone(),
        }
    }
}

/// Turns requests away while the breaker is open.
#[derive(Clone, Debug)]
pub struct Broken<S, J> {
    inner: S,
    breaker: Arc<Breaker>,
    judge: J,
}

impl<S, J, Req> Service<Req> for Broken<S, J>
where
    S: Service<Req>,
    S::Error: From<Rejection>,
    J: Judge<S::Response, S::Error> + Clone,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = BreakerFuture<S::Future, J>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Req) -> Self::Future {
        match self.breaker.acquire_owned(clock::now) {
            Ok(permit) => {
                if let Some(transition) = permit.transition() {
                    self.judge.changed(transition);
                }
                BreakerFuture::running(self.inner.call(request), permit, self.judge.clone())
            }
            Err(refusal) => {
                if let Some(transition) = refusal.transition {
                    self.judge.changed(transition);
                }
                self.judge.refused(&refusal);
                BreakerFuture::rejected(refusal.into())
            }
        }
    }
}
