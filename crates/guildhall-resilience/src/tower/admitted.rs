//! A request that was admitted, or turned away before it began: the future of layers that decide at once.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use pin_project_lite::pin_project;

use crate::Rejection;

pin_project! {
    /// The answer of the service below, or a rejection.
    pub struct AdmittedFuture<F> {
        #[pin]
        state: State<F>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<F> {
        Rejected { rejection: Rejection },
        Running { #[pin] future: F },
    }
}

impl<F> AdmittedFuture<F> {
    pub(super) fn rejected(rejection: Rejection) -> Self {
        Self {
            state: State::Rejected { rejection },
        }
    }

    pub(super) fn running(future: F) -> Self {
        Self {
            state: State::Running { future },
        }
    }
}

impl<F, T, E> Future for AdmittedFuture<F>
where
    F: Future<Output = Result<T, E>>,
    E: From<Rejection>,
{
    type Output = Result<T, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().state.project() {
            StateProj::Rejected { rejection } => Poll::Ready(Err((*rejection).into())),
            StateProj::Running { future } => future.poll(cx),
        }
    }
}
