//! A request, and what answers in its place.

use std::{
    future::Future,
    hash::Hash,
    pin::Pin,
    sync::{Arc, PoisonError},
    task::{Context, Poll, ready},
};

use pin_project_lite::pin_project;
use tower_service::Service;

use super::{Answers, layer::Shared};
use crate::{
    fallback::{Cause, Step},
    tower::{Rules, clock},
};

pin_project! {
    /// The future of [`Fallback`](super::Fallback).
    pub struct FallbackFuture<F, A, R, K, Res, O, Req>
    where
        O: Service<Req>,
    {
        #[pin]
        state: State<F, O::Future>,
        shared: Arc<Shared<A, R, K, Res>>,
        key: Option<K>,
        other: Option<(O, Req)>,
        cause: Cause,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<F, G> {
        Asking { #[pin] future: F },
        Preparing,
        AskingOther { #[pin] future: G },
    }
}

impl<F, A, R, K, Res, O: Service<Req>, Req> FallbackFuture<F, A, R, K, Res, O, Req> {
    pub(super) fn new(
        future: F,
        shared: Arc<Shared<A, R, K, Res>>,
        key: Option<K>,
        other: Option<(O, Req)>,
    ) -> Self {
        Self {
            state: State::Asking { future },
            shared,
            key,
            other,
            cause: Cause::Failed,
        }
    }
}

/// Gives the last good answer's age, and the answer itself if the plan asks for it.
fn kept<Req, Res, Err, A, R>(
    shared: &Shared<A, R, A::Key, Res>,
    key: Option<&A::Key>,
    cause: Cause,
    plan: impl Fn(Option<std::time::Duration>) -> Step,
) -> (Step, Option<Res>)
where
    A: Answers<Req, Res>,
    R: Rules<Req, Res, Err>,
{
    let now = clock::now();
    let store = shared.kept.lock().unwrap_or_else(PoisonError::into_inner);
    let found = key.and_then(|key| store.get(key, now));
    let step = plan(found.map(|(_, age)| age));
    let answer = match (step, found) {
        (Step::Cached { age }, Some((good, _))) => shared.answers.kept(good, age),
        (Step::Static, _) => shared.answers.fixed(cause),
        _ => None,
    };
    (step, answer)
}

impl<F, A, R, Res, Err, O, Req> Future for FallbackFuture<F, A, R, A::Key, Res, O, Req>
where
    F: Future<Output = Result<Res, Err>>,
    O: Service<Req, Response = Res, Error = Err>,
    A: Answers<Req, Res>,
    A::Key: Hash + Eq + Clone,
    R: Rules<Req, Res, Err>,
{
    type Output = Result<Res, Err>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let shared: &Shared<A, R, A::Key, Res> = this.shared;
        loop {
            let (result, is_other) = match this.state.as_mut().project() {
                StateProj::Asking { future } => (ready!(future.poll(cx)), false),
                StateProj::AskingOther { future } => (ready!(future.poll(cx)), true),
                StateProj::Preparing => {
                    let Some((other, _)) = this.other.as_mut() else {
                        unreachable!("the other service is asked only if there is one")
                    };
                    let readiness = ready!(other.poll_ready(cx));
                    let Some((mut other, request)) = this.other.take() else {
                        unreachable!("it was there a moment ago")
                    };
                    match readiness {
                        Ok(()) => {
                            let future = other.call(request);
                            this.state.set(State::AskingOther { future });
                            continue;
                        }
                        Err(error) => (Err(error), true),
                    }
                }
            };
            let Some(class) = shared.rules.failure(result.as_ref()) else {
                if let (Some(key), Ok(good), false) = (this.key.take(), &result, is_other)
                    && let Some((copy, weight)) = shared.answers.copy(good)
                {
                    let mut store = shared.kept.lock().unwrap_or_else(PoisonError::into_inner);
                    store.store(key, copy, weight, clock::now());
                }
                return Poll::Ready(result);
            };
            let cause = if is_other {
                *this.cause
            } else {
                Cause::of(class)
            };
            *this.cause = cause;
            let plan = |age| match is_other {
                true => shared.plan.after_service(age),
                false => match shared.plan.begin(cause, age) {
                    Step::Service if this.other.is_none() => shared.plan.after_service(age),
                    step => step,
                },
            };
            let (step, answer) = kept::<Req, _, Err, _, _>(shared, this.key.as_ref(), cause, plan);
            match (step, answer) {
                (Step::Service, _) => this.state.set(State::Preparing),
                (_, Some(answer)) => return Poll::Ready(Ok(answer)),
                _ => return Poll::Ready(result),
            }
        }
    }
}
