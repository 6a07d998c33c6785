//! A request under way with its permit, or turned away.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use pin_project_lite::pin_project;

use super::Judge;
use crate::{
    Rejection,
    breaker::{Breaker, Permit},
    tower::clock,
};

pin_project! {
    /// The future of [`Broken`](super::Broken). Dropped early it counts as nothing.
    pub struct BreakerFuture<F, J> {
        #[pin]
        state: State<F, J>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<F, J> {
        Rejected { rejection: Rejection },
        Running { #[pin] future: F, permit: Option<Permit<Arc<Breaker>>>, judge: J },
    }
}

impl<F, J> BreakerFuture<F, J> {
    pub(super) fn rejected(rejection: Rejection) -> Self {
        Self {
            state: State::Rejected { rejection },
        }
    }

    pub(super) fn running(future: F, permit: Permit<Arc<Breaker>>, judge: J) -> Self {
        Self {
            state: State::Running {
                future,
                permit: Some(permit),
                judge,
            },
        }
    }
}

impl<F, J, T, E> Future for BreakerFuture<F, J>
where
    F: Future<Output = Result<T, E>>,
    E: From<Rejection>,
    J: Judge<T, E>,
{
    type Output = Result<T, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().state.project() {
            StateProj::Rejected { rejection } => Poll::Ready(Err((*rejection).into())),
            StateProj::Running {
                future,
                permit,
                judge,
            } => {
                let result = ready!(future.poll(cx));
                let outcome = judge.outcome(result.as_ref());
                if let Some(permit) = permit.take()
                    && let Some(transition) = permit.record(outcome, clock::now())
                {
                    judge.changed(transition);
                }
                Poll::Ready(result)
            }
        }
    }
}
