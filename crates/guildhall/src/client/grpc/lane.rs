//! The way of a call by gRPC: the layers of `guildhall_resilience::tower::Stack` in their order, over the machines that
//! calls by HTTP go by, too.
//!
//! Of a fallback's sources only another service can stand in here: a fixed answer is one of HTTP, and good answers are not
//! kept, since it is not known of a call that it only reads.

use std::sync::{Arc, Mutex, Weak};

use futures_util::{FutureExt, future::BoxFuture};
use guildhall_core::policy::guard::{FallbackGuard, Way};
use guildhall_resilience::{
    fallback::{Cause, LastGood},
    limiter::Gcra,
    shed::Criticality,
    tower::{
        Stack,
        deadline::{AttemptTimeoutLayer, DeadlineLayer},
        fallback::{Answers, FallbackLayer},
        hedge::HedgeLayer,
        limiter::RateLimitLayer,
        retry::RetryLayer,
        shed::ShedLayer,
    },
};
use std::{
    task::{Context, Poll},
    time::Duration,
};
use tower::{
    Layer, Service,
    layer::util::{Identity, Stack as Both},
    util::{BoxCloneSyncService, MapErrLayer, option_layer},
};

use super::{
    answer::GrpcAnswer, attempt::GrpcAttempt, call::GrpcCall, place::PlaceLayer, rules::GrpcRules,
};
use crate::{
    client::{
        StandIn,
        attempt::Attempt,
        balance::Balancing,
        failure::Failure,
        fallback::{asked_instead, other_service},
        rules::CallJudge,
    },
    discovery::Callee,
    metrics::Meter,
    policy::{Callees, Sdk},
};

/// All layers around an attempt.
pub(super) type GrpcChain = BoxCloneSyncService<GrpcCall, GrpcAnswer, Failure>;

/// What holds for calls by gRPC at present.
pub(crate) struct Lane {
    balancing: Arc<Balancing>,
    pub(super) whole: GrpcChain,
    /// Without what stands in for the service.
    pub(super) bare: GrpcChain,
}

impl Lane {
    /// The lane beside `of`, which makes calls by HTTP, in the place of `before`.
    pub(crate) fn new(
        of: &Attempt,
        before: Option<&Self>,
        meter: &Arc<Meter>,
        callees: &Weak<Callees>,
    ) -> Self {
        let way = &of.way;
        let before = before.map(|lane| &*lane.balancing);
        let balancing = Arc::new(Balancing::new(way, before));
        let attempt = GrpcAttempt {
            base: Attempt {
                balancing: balancing.clone(),
                ..of.clone()
            },
            judge: CallJudge {
                way: way.clone(),
                meter: meter.clone(),
                callees: callees.clone(),
            },
        };
        let whole = chain(way, attempt.clone(), meter, callees, true);
        let bare = match way.enforced.fallback {
            Some(_) => chain(way, attempt, meter, callees, false),
            None => whole.clone(),
        };
        Self {
            balancing,
            whole,
            bare,
        }
    }
}

fn chain(
    way: &Arc<Way<Sdk>>,
    attempt: GrpcAttempt,
    meter: &Arc<Meter>,
    callees: &Weak<Callees>,
    with_fallback: bool,
) -> GrpcChain {
    let held = &way.enforced;
    let rules = GrpcRules {
        meter: meter.clone(),
    };
    // Told with its policy before anything stands in for it: what is stood in for was refused all the same.
    let explained = {
        let (way, meter) = (way.clone(), meter.clone());
        move |failure: Failure| failure.explained(meter.service(), &way.enforced)
    };
    let fallback = held
        .fallback
        .as_ref()
        .filter(|_| with_fallback)
        .and_then(|guard| fallback(guard, way, &rules, callees));
    let place = held.bulkhead.as_ref();
    let place = option_layer(place.map(|guard| PlaceLayer(guard.machine.clone())));

    // Outermost first.
    let stack = Stack {
        rate_limit: None::<RateLimitLayer<Arc<Gcra>>>,
        // The call has its deadline already: this one holds it to that.
        deadline: Some(DeadlineLayer::new(None, rules.clone())),
        shed: None::<ShedLayer<fn(&GrpcCall) -> Criticality>>,
        // With the bulkhead inside, in place of the stack's own.
        fallback: Some(Both::new(
            place,
            Both::new(MapErrLayer::new(explained), option_layer(fallback)),
        )),
        bulkhead: None,
        retry: (held.retry.as_ref())
            .map(|guard| RetryLayer::new(guard.policy, guard.budget.clone(), rules.clone())),
        hedge: held
            .hedging
            .as_ref()
            .map(|guard| HedgeLayer::new(guard.hedge.clone(), guard.budget.clone(), rules.clone())),
        // An attempt asks these itself.
        breaker: None::<Identity>,
        adaptive: None::<Identity>,
        attempt_timeout: None::<AttemptTimeoutLayer<GrpcRules>>,
    };
    BoxCloneSyncService::new(stack.layer(attempt))
}

type Fallback = FallbackLayer<NoAnswers, GrpcRules, (), GrpcAnswer, Other>;

fn fallback(
    guard: &FallbackGuard<Sdk>,
    way: &Way<Sdk>,
    rules: &GrpcRules,
    callees: &Weak<Callees>,
) -> Option<Fallback> {
    let other = other_service(guard, way)?;
    let other = Other {
        callees: callees.clone(),
        callee: other.into(),
    };
    let none = Arc::new(Mutex::new(LastGood::new(1, 1).ok()?));
    let plan = guard.rule.plan.clone();
    Some(FallbackLayer::new(
        plan,
        NoAnswers,
        rules.clone(),
        none,
        Some(other),
    ))
}

/// Nothing is kept and nothing fixed.
#[derive(Clone, Copy, Debug)]
struct NoAnswers;

impl Answers<GrpcCall, GrpcAnswer> for NoAnswers {
    type Key = ();

    fn key(&self, _: &GrpcCall) -> Option<()> {
        None
    }

    fn copy(&self, _: &GrpcAnswer) -> Option<(GrpcAnswer, usize)> {
        None
    }

    fn kept(&self, _: &GrpcAnswer, _: Duration) -> Option<GrpcAnswer> {
        None
    }

    fn fixed(&self, _: Cause) -> Option<GrpcAnswer> {
        None
    }
}

/// Another service that is asked instead, by its own policies; nothing stands in for it.
#[derive(Clone)]
struct Other {
    callees: Weak<Callees>,
    callee: Arc<Callee>,
}

impl Service<GrpcCall> for Other {
    type Response = GrpcAnswer;
    type Error = Failure;
    type Future = BoxFuture<'static, Result<GrpcAnswer, Failure>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, call: GrpcCall) -> Self::Future {
        let Self { callees, callee } = self.clone();
        let call = GrpcCall {
            tried: Arc::default(),
            ..call
        };
        async move {
            let target = asked_instead(&callees, &callee)?;
            let mut answer = target.pass_grpc(call).await?;
            answer.stand_in = Some(StandIn::Service(callee.as_str().to_owned()));
            Ok(answer)
        }
        .boxed()
    }
}
