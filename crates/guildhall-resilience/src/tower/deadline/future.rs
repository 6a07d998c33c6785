//! A request against time.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Instant,
};

use pin_project_lite::pin_project;
use tokio::time::{Sleep, sleep_until};

use super::Expired;
use crate::{Rejection, deadline::Expiry};

pin_project! {
    /// The future of [`Deadlined`](super::Deadlined) and [`AttemptTimeout`](super::AttemptTimeout).
    pub struct DeadlineFuture<F> {
        #[pin]
        state: State<F>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<F> {
        Rejected { rejection: Rejection },
        Endless { #[pin] future: F },
        Limited { #[pin] future: F, #[pin] end: Sleep, expiry: Expiry },
    }
}

impl<F> DeadlineFuture<F> {
    pub(super) fn rejected(rejection: Rejection) -> Self {
        Self {
            state: State::Rejected { rejection },
        }
    }

    pub(super) fn new(future: F, at: Option<Instant>, expiry: Expiry) -> Self {
        let state = match at {
            None => State::Endless { future },
            Some(at) => State::Limited {
                future,
                end: sleep_until(at.into()),
                expiry,
            },
        };
        Self { state }
    }
}

impl<F, T, E> Future for DeadlineFuture<F>
where
    F: Future<Output = Result<T, E>>,
    E: From<Rejection> + From<Expired>,
{
    type Output = Result<T, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().state.project() {
            StateProj::Rejected { rejection } => Poll::Ready(Err((*rejection).into())),
            StateProj::Endless { future } => future.poll(cx),
            StateProj::Limited {
                future,
                end,
                expiry,
            } => {
                // An answer that is there at the last moment counts.
                if let Poll::Ready(result) = future.poll(cx) {
                    return Poll::Ready(result);
                }
                end.poll(cx)
                    .map(|()| Err(Expired { expiry: *expiry }.into()))
            }
        }
    }
}
