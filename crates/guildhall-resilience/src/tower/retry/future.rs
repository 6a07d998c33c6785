//! A request with its attempts.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Instant,
};

use fastrand::Rng;
use pin_project_lite::pin_project;
use tokio::time::{Sleep, sleep};
use tower_service::Service;

use super::Retry;
use crate::{
    deadline::Deadline,
    retry::{Attempted, Body, Budget, Decision, FailureClass, Idempotency, RetryPolicy},
    tower::{Rules, clock},
};

pin_project! {
    /// The future of [`Retry`].
    pub struct RetryFuture<S, R, Req>
    where
        S: Service<Req>,
    {
        service: S,
        rules: R,
        policy: RetryPolicy,
        budget: Arc<Budget>,
        random: Rng,
        // The request to send next time; `None` if it cannot be sent again, or no attempt would be left for it.
        again: Option<Req>,
        idempotency: Idempotency,
        body: Body,
        deadline: Deadline,
        attempts: u32,
        start: Instant,
        // An attempt was sent, and its share is in the budget.
        is_deposited: bool,
        #[pin]
        state: State<S::Future>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<F> {
        Calling { #[pin] future: F },
        Pausing { #[pin] sleep: Sleep },
        Preparing,
    }
}

impl<S, R, Req> RetryFuture<S, R, Req>
where
    S: Service<Req>,
    R: Rules<Req, S::Response, S::Error> + Clone,
{
    pub(super) fn new<T>(of: &Retry<T, R>, mut service: S, request: Req) -> Self {
        let now = clock::now();
        let rules = of.rules.clone();
        let retries = of.policy.attempts() > 1;
        Self {
            again: retries.then(|| rules.again(&request)).flatten(),
            idempotency: rules.idempotency(&request),
            body: rules.body(&request),
            deadline: rules.deadline(&request, now),
            attempts: 1,
            start: now,
            is_deposited: false,
            policy: of.policy,
            budget: of.budget.clone(),
            random: of.seeds.next(),
            state: State::Calling {
                future: service.call(request),
            },
            service,
            rules,
        }
    }
}

impl<S, R, Req> Future for RetryFuture<S, R, Req>
where
    S: Service<Req>,
    R: Rules<Req, S::Response, S::Error>,
{
    type Output = Result<S::Response, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            match this.state.as_mut().project() {
                StateProj::Calling { future } => {
                    let result = ready!(future.poll(cx));
                    let class = this.rules.failure(result.as_ref());
                    // What an open breaker or a full limit turned away was not sent: it pays for no retry.
                    if !*this.is_deposited && class != Some(FailureClass::Rejected) {
                        *this.is_deposited = true;
                        this.budget.deposit(*this.start);
                    }
                    let Some(class) = class else {
                        return Poll::Ready(result);
                    };
                    let now = clock::now();
                    // Where attempts are left, only a body that cannot be sent again has no copy.
                    let streamed = this.again.is_none() && *this.attempts < this.policy.attempts();
                    let attempted = Attempted {
                        attempts: *this.attempts,
                        class,
                        idempotency: *this.idempotency,
                        body: if streamed { Body::Streamed } else { *this.body },
                        retry_after: this.rules.retry_after(result.as_ref()),
                        remaining: this.deadline.remaining(now),
                    };
                    let decision =
                        this.policy
                            .decide(&attempted, Some(this.budget), this.random, now);
                    this.rules.decided(class, decision);
                    match decision {
                        Decision::GiveUp(_) => return Poll::Ready(result),
                        Decision::Retry { after } => this.state.set(State::Pausing {
                            sleep: sleep(after),
                        }),
                    }
                }
                StateProj::Pausing { sleep } => {
                    ready!(sleep.poll(cx));
                    this.state.set(State::Preparing);
                }
                StateProj::Preparing => {
                    if let Err(error) = ready!(this.service.poll_ready(cx)) {
                        return Poll::Ready(Err(error));
                    }
                    *this.attempts += 1;
                    let Some(request) = this.again.take() else {
                        unreachable!("without a copy the body is streamed, and the policy gave up")
                    };
                    if *this.attempts < this.policy.attempts() {
                        *this.again = this.rules.again(&request);
                    }
                    let future = this.service.call(request);
                    this.state.set(State::Calling { future });
                }
            }
        }
    }
}
