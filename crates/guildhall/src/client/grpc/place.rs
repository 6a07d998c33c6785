//! The bulkhead around all attempts of a call, whose place goes along with the answer until its stream ends.

use std::{
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use futures_util::{FutureExt, future::BoxFuture};
use guildhall_resilience::{
    Rejection,
    bulkhead::{Bulkhead, Entry, Permit, Progress, Ticket},
};
use tokio::time::sleep_until;
use tower::{Layer, Service};

use super::{answer::GrpcAnswer, call::GrpcCall};
use crate::{client::failure::Failure, clock};

/// Wraps services in [`Placed`].
#[derive(Clone)]
pub(super) struct PlaceLayer(pub(super) Arc<Bulkhead>);

impl<S> Layer<S> for PlaceLayer {
    type Service = Placed<S>;

    fn layer(&self, inner: S) -> Placed<S> {
        Placed {
            inner,
            bulkhead: self.0.clone(),
        }
    }
}

/// Lets so many calls at once into the service below.
#[derive(Clone)]
pub(super) struct Placed<S> {
    inner: S,
    bulkhead: Arc<Bulkhead>,
}

impl<S> Service<GrpcCall> for Placed<S>
where
    S: Service<GrpcCall, Response = GrpcAnswer, Error = Failure> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = GrpcAnswer;
    type Error = Failure;
    type Future = BoxFuture<'static, Result<GrpcAnswer, Failure>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, call: GrpcCall) -> Self::Future {
        // The one that is ready goes with the call; the clone takes its place.
        let next = self.inner.clone();
        let mut ready = std::mem::replace(&mut self.inner, next);
        let bulkhead = self.bulkhead.clone();
        async move {
            // The first poll in the queue leaves the task's waker.
            let wake = || Waker::noop().clone();
            let entry = Bulkhead::enter(bulkhead, call.deadline.at(), clock::now(), wake);
            let permit = match entry.map_err(Rejection::from)? {
                Entry::Admitted(permit) => permit,
                Entry::Queued(ticket) => queue(ticket).await?,
            };
            let mut answer = ready.call(call).await?;
            if answer.ended.is_none() {
                answer.place = Some(permit);
            }
            Ok(answer)
        }
        .boxed()
    }
}

async fn queue(mut ticket: Ticket<Arc<Bulkhead>>) -> Result<Permit<Arc<Bulkhead>>, Rejection> {
    let mut timer = pin!(sleep_until(ticket.deadline().into()));
    std::future::poll_fn(|cx| {
        loop {
            match ticket.poll(clock::now(), || cx.waker().clone()) {
                Progress::Admitted(permit) => return Poll::Ready(Ok(permit)),
                Progress::TooLate(refusal) => return Poll::Ready(Err(refusal.into())),
                Progress::Waiting if timer.as_mut().poll(cx).is_pending() => return Poll::Pending,
                // Its deadline is over: asking again says so.
                Progress::Waiting => {}
            }
        }
    })
    .await
}
