//! A request that goes at once, or in its turn.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use pin_project_lite::pin_project;
use tokio::time::{Sleep, sleep_until};
use tower_service::Service;

use super::Pace;
use crate::{Rejection, limiter::Turn, tower::AdmittedFuture};

/// The future of [`RateLimited`](super::RateLimited).
pub type RateLimitFuture<F> = AdmittedFuture<F>;

pin_project! {
    /// The future of [`Paced`](super::Paced).
    pub struct PaceFuture<S, P, Req>
    where
        S: Service<Req>,
        P: Pace,
    {
        #[pin]
        state: State<S, P, Req, S::Future>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<S, P, Req, F>
    where
        P: Pace,
    {
        Rejected { rejection: Rejection },
        Waiting { turn: Held<P>, #[pin] timer: Sleep, call: Option<(S, Req)> },
        Running { #[pin] future: F },
    }
}

/// A turn that goes back if it is not used.
struct Held<P: Pace> {
    pace: Arc<P>,
    turn: Option<Turn>,
}

impl<P: Pace> Drop for Held<P> {
    fn drop(&mut self) {
        if let Some(turn) = self.turn.take() {
            self.pace.give_back(turn);
        }
    }
}

impl<S: Service<Req>, P: Pace, Req> PaceFuture<S, P, Req> {
    pub(super) fn rejected(rejection: Rejection) -> Self {
        Self {
            state: State::Rejected { rejection },
        }
    }

    pub(super) fn running(future: S::Future) -> Self {
        Self {
            state: State::Running { future },
        }
    }

    pub(super) fn waiting(pace: Arc<P>, turn: Turn, ready: S, request: Req) -> Self {
        Self {
            state: State::Waiting {
                timer: sleep_until(turn.at.into()),
                turn: Held {
                    pace,
                    turn: Some(turn),
                },
                call: Some((ready, request)),
            },
        }
    }
}

impl<S, P, Req> Future for PaceFuture<S, P, Req>
where
    S: Service<Req>,
    S::Error: From<Rejection>,
    P: Pace,
{
    type Output = Result<S::Response, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            let future = match state.as_mut().project() {
                StateProj::Rejected { rejection } => return Poll::Ready(Err((*rejection).into())),
                StateProj::Running { future } => return future.poll(cx),
                StateProj::Waiting { turn, timer, call } => {
                    ready!(timer.poll(cx));
                    turn.turn = None;
                    match call.take() {
                        Some((mut service, request)) => service.call(request),
                        None => return Poll::Pending,
                    }
                }
            };
            state.set(State::Running { future });
        }
    }
}
