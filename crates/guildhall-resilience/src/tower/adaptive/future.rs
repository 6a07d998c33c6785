//! A request whose end is recorded. One that is dropped before gives its place back and says nothing.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use pin_project_lite::pin_project;

use crate::{
    Outcome, Rejection,
    adaptive::{Adaptive, Permit},
    tower::clock,
};

pin_project! {
    /// The future of [`Adapted`](super::Adapted).
    pub struct AdaptiveFuture<F, C> {
        #[pin]
        state: State<F, C>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<F, C> {
        Rejected { rejection: Rejection },
        Running { #[pin] future: F, permit: Option<Permit<Arc<Adaptive>>>, classify: C },
    }
}

impl<F, C> AdaptiveFuture<F, C> {
    pub(super) fn rejected(rejection: Rejection) -> Self {
        Self {
            state: State::Rejected { rejection },
        }
    }

    pub(super) fn running(future: F, permit: Permit<Arc<Adaptive>>, classify: C) -> Self {
        Self {
            state: State::Running {
                future,
                permit: Some(permit),
                classify,
            },
        }
    }
}

impl<F, C, T, E> Future for AdaptiveFuture<F, C>
where
    F: Future<Output = Result<T, E>>,
    E: From<Rejection>,
    C: Fn(Result<&T, &E>) -> Outcome,
{
    type Output = Result<T, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().state.project() {
            StateProj::Rejected { rejection } => Poll::Ready(Err((*rejection).into())),
            StateProj::Running {
                future,
                permit,
                classify,
            } => {
                let result = ready!(future.poll(cx));
                if let Some(permit) = permit.take() {
                    permit.record(classify(result.as_ref()), clock::now());
                }
                Poll::Ready(result)
            }
        }
    }
}
