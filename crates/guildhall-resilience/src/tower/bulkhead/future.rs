//! A request with a place, or in the queue for one.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Instant,
};

use pin_project_lite::pin_project;
use tokio::time::{Sleep, sleep_until};
use tower_service::Service;

use crate::{
    Rejection,
    bulkhead::{Bulkhead, Permit, Progress, Ticket},
    shed::DelayShed,
    tower::clock,
};

pin_project! {
    /// The future of [`Bulkheaded`](super::Bulkheaded).
    pub struct BulkheadFuture<S, Req>
    where
        S: Service<Req>,
    {
        #[pin]
        state: State<S, Req, S::Future>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<S, Req, F> {
        Rejected { rejection: Rejection },
        Waiting {
            ticket: Ticket<Arc<Bulkhead>>,
            #[pin]
            timer: Sleep,
            since: Instant,
            delays: Option<Arc<DelayShed>>,
            call: Option<(S, Req)>,
        },
        Running { #[pin] future: F, permit: Option<Permit<Arc<Bulkhead>>> },
    }
}

impl<S: Service<Req>, Req> BulkheadFuture<S, Req> {
    pub(super) fn rejected(rejection: Rejection) -> Self {
        Self {
            state: State::Rejected { rejection },
        }
    }

    pub(super) fn running(future: S::Future, permit: Permit<Arc<Bulkhead>>) -> Self {
        Self {
            state: State::Running {
                future,
                permit: Some(permit),
            },
        }
    }

    pub(super) fn waiting(
        ticket: Ticket<Arc<Bulkhead>>,
        since: Instant,
        delays: Option<Arc<DelayShed>>,
        ready: S,
        request: Req,
    ) -> Self {
        Self {
            state: State::Waiting {
                timer: sleep_until(ticket.deadline().into()),
                ticket,
                since,
                delays,
                call: Some((ready, request)),
            },
        }
    }
}

impl<S, Req> Future for BulkheadFuture<S, Req>
where
    S: Service<Req>,
    S::Error: From<Rejection>,
{
    type Output = Result<S::Response, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            let next = match state.as_mut().project() {
                StateProj::Rejected { rejection } => return Poll::Ready(Err((*rejection).into())),
                StateProj::Running { future, permit } => {
                    let result = ready!(future.poll(cx));
                    // With the answer, not with the future, which may be kept.
                    *permit = None;
                    return Poll::Ready(result);
                }
                StateProj::Waiting {
                    ticket,
                    timer,
                    since,
                    delays,
                    call,
                } => {
                    let now = clock::now();
                    match ticket.poll(now, || cx.waker().clone()) {
                        Progress::Waiting => {
                            ready!(timer.poll(cx));
                            // The deadline is over: asking again says so.
                            continue;
                        }
                        Progress::TooLate(refusal) => State::Rejected {
                            rejection: refusal.into(),
                        },
                        Progress::Admitted(permit) => {
                            if let Some(delays) = delays {
                                delays.record(now.saturating_duration_since(*since), now);
                            }
                            match call.take() {
                                Some((mut service, request)) => State::Running {
                                    future: service.call(request),
                                    permit: Some(permit),
                                },
                                None => return Poll::Pending,
                            }
                        }
                    }
                }
            };
            state.set(next);
        }
    }
}
