//! The layers and their services.

use std::{
    task::{Context, Poll},
    time::Duration,
};

use tower_layer::Layer;
use tower_service::Service;

use super::{DeadlineFuture, Expired};
use crate::{
    Pattern, Rejection,
    deadline::{Deadline, Expiry},
    tower::{Rules, clock},
};

/// Wraps services in [`Deadlined`].
#[derive(Clone, Debug)]
pub struct DeadlineLayer<R> {
    limit: Option<Duration>,
    margin: Duration,
    rules: R,
}

impl<R> DeadlineLayer<R> {
    /// Requests have `limit`, or what their caller left them if that is less.
    pub fn new(limit: Option<Duration>, rules: R) -> Self {
        Self {
            limit,
            margin: Duration::ZERO,
            rules,
        }
    }

    /// The same, leaving so much of an inherited deadline for the answer's way back.
    #[must_use]
    pub fn with_margin(self, margin: Duration) -> Self {
        Self { margin, ..self }
    }
}

impl<S, R: Clone> Layer<S> for DeadlineLayer<R> {
    type Service = Deadlined<S, R>;

    fn layer(&self, inner: S) -> Deadlined<S, R> {
        Deadlined {
            inner,
            limit: self.limit,
            margin: self.margin,
            rules: self.rules.clone(),
        }
    }
}

/// Gives requests a deadline and holds them to it.
#[derive(Clone, Debug)]
pub struct Deadlined<S, R> {
    inner: S,
    limit: Option<Duration>,
    margin: Duration,
    rules: R,
}

impl<S, R, Req> Service<Req> for Deadlined<S, R>
where
    S: Service<Req>,
    S::Error: From<Rejection> + From<Expired>,
    R: Rules<Req, S::Response, S::Error>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = DeadlineFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Req) -> Self::Future {
        let now = clock::now();
        let own = self
            .limit
            .map_or(Deadline::NEVER, |limit| Deadline::own(limit, now));
        let inherited = self.rules.deadline(&request, now).less(self.margin);
        let deadline = own.nearer(inherited);
        if deadline.is_over(now) {
            return DeadlineFuture::rejected(Rejection {
                by: Pattern::Deadline,
                retry_after: None,
            });
        }
        self.rules.set_deadline(&mut request, deadline, now);
        let expiry = if deadline.is_inherited() {
            Expiry::Inherited
        } else {
            Expiry::Request
        };
        DeadlineFuture::new(self.inner.call(request), deadline.at(), expiry)
    }
}

/// Wraps services in [`AttemptTimeout`].
#[derive(Clone, Debug)]
pub struct AttemptTimeoutLayer<R> {
    limit: Option<Duration>,
    rules: R,
}

impl<R> AttemptTimeoutLayer<R> {
    /// Attempts have `limit`, or what is left of the request's deadline if that is less.
    pub fn new(limit: Option<Duration>, rules: R) -> Self {
        Self { limit, rules }
    }
}

impl<S, R: Clone> Layer<S> for AttemptTimeoutLayer<R> {
    type Service = AttemptTimeout<S, R>;

    fn layer(&self, inner: S) -> AttemptTimeout<S, R> {
        AttemptTimeout {
            inner,
            limit: self.limit,
            rules: self.rules.clone(),
        }
    }
}

/// Ends attempts that take too long, and tells the next hop how long it has.
#[derive(Clone, Debug)]
pub struct AttemptTimeout<S, R> {
    inner: S,
    limit: Option<Duration>,
    rules: R,
}

impl<S, R, Req> Service<Req> for AttemptTimeout<S, R>
where
    S: Service<Req>,
    S::Error: From<Rejection> + From<Expired>,
    R: Rules<Req, S::Response, S::Error>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = DeadlineFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Req) -> Self::Future {
        let now = clock::now();
        let limit = self
            .rules
            .deadline(&request, now)
            .for_attempt(self.limit, now);
        if let Some(at) = limit.at() {
            // The next hop inherits what the attempt has.
            let left = at.saturating_duration_since(now);
            let own = Deadline::own(left, now);
            self.rules.set_deadline(&mut request, own, now);
        }
        DeadlineFuture::new(self.inner.call(request), limit.at(), limit.expiry())
    }
}
