//! A layer that is on or off: policies decide at run time, types do not.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

/// A service with a layer around it, or without.
#[derive(Clone, Debug)]
pub enum Maybe<A, B> {
    /// With it.
    On(A),
    /// Without.
    Off(B),
}

/// `inner` within `layer`, if there is one.
pub(super) fn maybe<L: Layer<S>, S>(layer: Option<&L>, inner: S) -> Maybe<L::Service, S> {
    match layer {
        Some(layer) => Maybe::On(layer.layer(inner)),
        None => Maybe::Off(inner),
    }
}

impl<A, B, Req> Service<Req> for Maybe<A, B>
where
    B: Service<Req>,
    A: Service<Req, Response = B::Response, Error = B::Error>,
{
    type Response = B::Response;
    type Error = B::Error;
    type Future = MaybeFuture<A::Future, B::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), B::Error>> {
        match self {
            Self::On(service) => service.poll_ready(cx),
            Self::Off(service) => service.poll_ready(cx),
        }
    }

    fn call(&mut self, request: Req) -> Self::Future {
        match self {
            Self::On(service) => MaybeFuture {
                state: State::On {
                    future: service.call(request),
                },
            },
            Self::Off(service) => MaybeFuture {
                state: State::Off {
                    future: service.call(request),
                },
            },
        }
    }
}

pin_project! {
    /// The future of [`Maybe`].
    pub struct MaybeFuture<F, G> {
        #[pin]
        state: State<F, G>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<F, G> {
        On { #[pin] future: F },
        Off { #[pin] future: G },
    }
}

impl<F, G> Future for MaybeFuture<F, G>
where
    F: Future,
    G: Future<Output = F::Output>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        match self.project().state.project() {
            StateProj::On { future } => future.poll(cx),
            StateProj::Off { future } => future.poll(cx),
        }
    }
}
