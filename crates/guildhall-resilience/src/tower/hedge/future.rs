//! A request with its attempts, which run at once.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Instant,
};

use pin_project_lite::pin_project;
use tokio::time::{Sleep, sleep};
use tower_service::Service;

use super::Hedged;
use crate::{
    deadline::Deadline,
    hedge::{Hedge, HedgeDecision, Hedgeable},
    retry::{Body, Budget, FailureClass, Idempotency},
    tower::{Rules, clock},
};

pin_project! {
    /// The future of [`Hedged`].
    pub struct HedgeFuture<S, R, Req>
    where
        S: Service<Req>,
    {
        service: S,
        rules: R,
        hedge: Arc<Hedge>,
        budget: Arc<Budget>,
        start: Instant,
        deadline: Deadline,
        idempotency: Idempotency,
        body: Body,
        sent: u32,
        // What the next hedge sends; `None` if there will be none.
        again: Option<Req>,
        // `None` once it failed.
        #[pin]
        first: Option<S::Future>,
        hedges: Vec<Pin<Box<S::Future>>>,
        // When the next hedge is sent.
        #[pin]
        timer: Option<Sleep>,
        // The time has come and the service is not ready yet.
        is_due: bool,
        // The request was not turned away: its share is in the budget.
        is_deposited: bool,
    }
}

impl<S, R, Req> HedgeFuture<S, R, Req>
where
    S: Service<Req>,
    R: Rules<Req, S::Response, S::Error> + Clone,
{
    pub(super) fn new<T>(of: &Hedged<T, R>, mut service: S, request: Req) -> Self {
        let now = clock::now();
        let rules = of.rules.clone();
        let deadline = rules.deadline(&request, now);
        let plan = of.hedge.plan(
            &Hedgeable {
                sent: 1,
                idempotency: rules.idempotency(&request),
                body: rules.body(&request),
                remaining: deadline.remaining(now),
            },
            now,
        );
        let delay = match plan {
            HedgeDecision::After(delay) => Some(delay),
            HedgeDecision::No(_) => None,
        };
        // Copied only if it may be sent.
        let again = delay.and_then(|_| rules.again(&request));
        Self {
            hedge: of.hedge.clone(),
            budget: of.budget.clone(),
            start: now,
            deadline,
            idempotency: rules.idempotency(&request),
            body: rules.body(&request),
            sent: 1,
            timer: delay.filter(|_| again.is_some()).map(sleep),
            again,
            first: Some(service.call(request)),
            hedges: Vec::new(),
            is_due: false,
            is_deposited: false,
            service,
            rules,
        }
    }
}

impl<S, R, Req> Future for HedgeFuture<S, R, Req>
where
    S: Service<Req>,
    R: Rules<Req, S::Response, S::Error>,
{
    type Output = Result<S::Response, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            let mut failed = None;
            if let Some(first) = this.first.as_mut().as_pin_mut()
                && let Poll::Ready(result) = first.poll(cx)
            {
                let class = this.rules.failure(result.as_ref());
                if !*this.is_deposited && class != Some(FailureClass::Rejected) {
                    *this.is_deposited = true;
                    this.budget.deposit(*this.start);
                }
                if class.is_none() {
                    return Poll::Ready(answered(this.hedge, *this.start, result));
                }
                this.first.set(None);
                failed = Some(result);
            }
            let mut at = 0;
            while let Some(hedge) = this.hedges.get_mut(at) {
                match hedge.as_mut().poll(cx) {
                    Poll::Pending => at += 1,
                    Poll::Ready(result) if this.rules.failure(result.as_ref()).is_none() => {
                        return Poll::Ready(answered(this.hedge, *this.start, result));
                    }
                    Poll::Ready(result) => {
                        drop(this.hedges.swap_remove(at));
                        failed = Some(result);
                    }
                }
            }
            // A failure is handed on once nothing runs any more: to send again what failed is a retry's business.
            if let Some(result) = failed
                && this.first.is_none()
                && this.hedges.is_empty()
            {
                return Poll::Ready(result);
            }

            if !*this.is_due {
                let Some(timer) = this.timer.as_mut().as_pin_mut() else {
                    return Poll::Pending;
                };
                ready!(timer.poll(cx));
                this.timer.set(None);
                if !*this.is_deposited && this.first.is_some() {
                    // What has run for so long was not turned away.
                    *this.is_deposited = true;
                    this.budget.deposit(*this.start);
                }
                *this.is_due = this.hedge.fire(this.budget, clock::now()).is_ok();
            }
            // A service that is not ready, or cannot be any more, sends no hedge; what runs goes on.
            match (this.service.poll_ready(cx), this.again.is_some()) {
                (Poll::Ready(Ok(())), true) if *this.is_due => {}
                _ => return Poll::Pending,
            }
            *this.is_due = false;
            let Some(request) = this.again.take() else {
                return Poll::Pending;
            };
            *this.sent += 1;
            let now = clock::now();
            let more = Hedgeable {
                sent: *this.sent,
                idempotency: *this.idempotency,
                body: *this.body,
                remaining: this.deadline.remaining(now),
            };
            if let HedgeDecision::After(delay) = this.hedge.plan(&more, now) {
                *this.again = this.rules.again(&request);
                this.timer.set(this.again.is_some().then(|| sleep(delay)));
            }
            this.hedges.push(Box::pin(this.service.call(request)));
        }
    }
}

/// What is recorded is how long the caller waited: where a hedge won, the first attempt would have taken longer still.
fn answered<T>(hedge: &Hedge, start: Instant, answer: T) -> T {
    let now = clock::now();
    hedge.record(now.saturating_duration_since(start), now);
    answer
}
