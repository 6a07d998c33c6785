//! The layers and their services.

use std::{
    sync::Arc,
    task::{Context, Poll},
    time::Instant,
};

use tower_layer::Layer;
use tower_service::Service;

use super::{Limit, PaceFuture, RateLimitFuture};
use crate::{
    Rejection,
    limiter::{LeakyQueue, Limited, Turn, WarmUp},
    tower::clock,
};

/// Wraps services in [`RateLimited`].
#[derive(Clone, Debug)]
pub struct RateLimitLayer<L> {
    limit: L,
}

impl<L> RateLimitLayer<L> {
    /// Refuses what is over this limit.
    pub fn new(limit: L) -> Self {
        Self { limit }
    }
}

impl<S, L: Clone> Layer<S> for RateLimitLayer<L> {
    type Service = RateLimited<S, L>;

    fn layer(&self, inner: S) -> RateLimited<S, L> {
        RateLimited {
            inner,
            limit: self.limit.clone(),
        }
    }
}

/// Refuses requests that are over a limit.
#[derive(Clone, Debug)]
pub struct RateLimited<S, L> {
    inner: S,
    limit: L,
}

impl<S, L, Req> Service<Req> for RateLimited<S, L>
where
    S: Service<Req>,
    S::Error: From<Rejection>,
    L: Limit<Req>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = RateLimitFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Req) -> Self::Future {
        match self.limit.admit(&request, clock::now()) {
            Ok(()) => RateLimitFuture::running(self.inner.call(request)),
            Err(limited) => RateLimitFuture::rejected(limited.into()),
        }
    }
}

/// A limiter that gives turns.
pub trait Pace {
    /// A turn for one request.
    ///
    /// # Errors
    /// [`Limited`] if it would wait too long.
    fn take(&self, now: Instant) -> Result<Turn, Limited>;

    /// A turn that was not used.
    fn give_back(&self, turn: Turn);
}

impl Pace for LeakyQueue {
    fn take(&self, now: Instant) -> Result<Turn, Limited> {
        Self::take(self, now)
    }

    fn give_back(&self, turn: Turn) {
        let _ = Self::give_back(self, turn);
    }
}

impl Pace for WarmUp {
    fn take(&self, now: Instant) -> Result<Turn, Limited> {
        Self::take(self, now)
    }

    /// A turn that was not used is lost: what it cost depends on those before it.
    fn give_back(&self, _: Turn) {}
}

/// Wraps services in [`Paced`].
#[derive(Debug)]
pub struct PaceLayer<P> {
    pace: Arc<P>,
}

impl<P> PaceLayer<P> {
    /// Lets requests wait for their turns.
    pub fn new(pace: Arc<P>) -> Self {
        Self { pace }
    }
}

impl<P> Clone for PaceLayer<P> {
    fn clone(&self) -> Self {
        Self::new(self.pace.clone())
    }
}

impl<S, P> Layer<S> for PaceLayer<P> {
    type Service = Paced<S, P>;

    fn layer(&self, inner: S) -> Paced<S, P> {
        Paced {
            inner,
            pace: self.pace.clone(),
        }
    }
}

/// Lets requests wait for their turns; a request that is dropped meanwhile gives its turn back.
#[derive(Debug)]
pub struct Paced<S, P> {
    inner: S,
    pace: Arc<P>,
}

impl<S: Clone, P> Clone for Paced<S, P> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            pace: self.pace.clone(),
        }
    }
}

impl<S, P, Req> Service<Req> for Paced<S, P>
where
    S: Service<Req> + Clone,
    S::Error: From<Rejection>,
    P: Pace,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = PaceFuture<S, P, Req>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Req) -> Self::Future {
        match self.pace.take(clock::now()) {
            Err(limited) => PaceFuture::rejected(limited.into()),
            Ok(turn) if turn.wait.is_zero() => PaceFuture::running(self.inner.call(request)),
            Ok(turn) => {
                // The one that is ready goes with the request; the clone takes its place.
                let next = self.inner.clone();
                let ready = std::mem::replace(&mut self.inner, next);
                PaceFuture::waiting(self.pace.clone(), turn, ready, request)
            }
        }
    }
}
