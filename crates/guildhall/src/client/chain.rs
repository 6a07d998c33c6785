//! The way of a call: all layers around an attempt, in the order of `guildhall_resilience::tower::Stack`, each on or off
//! as the service's policies say.
//!
//! A change of policies is another chain over the same machines: no window, count or limit is lost.
//!
//! Two steps stand outside the stack. Rate limits and the call's deadline come first, in
//! [`Target`](super::target::Target), since some limits let a call wait; and an attempt bounds itself
//! ([`Attempt`](super::attempt::Attempt)), since it alone knows the instance that did not answer.

use std::sync::{Arc, Mutex, Weak};

use guildhall_core::policy::guard::{FallbackGuard, Way};
use guildhall_resilience::{
    fallback::LastGood,
    limiter::Gcra,
    shed::Criticality,
    tower::{
        Stack,
        adaptive::AdaptiveLayer,
        breaker::{BreakerLayer, Judge},
        bulkhead::BulkheadLayer,
        deadline::{AttemptTimeoutLayer, DeadlineLayer},
        fallback::FallbackLayer,
        hedge::HedgeLayer,
        limiter::RateLimitLayer,
        retry::RetryLayer,
        shed::ShedLayer,
    },
};
use tower::{
    Layer,
    layer::util::Stack as Both,
    util::{BoxCloneSyncService, MapErrLayer, option_layer},
};

use super::{
    Answer,
    attempt::Attempt,
    failure::Failure,
    fallback::{Instead, Other, other_service},
    outgoing::Outgoing,
    rules::{CallJudge, CallRules},
};
use crate::{
    metrics::Meter,
    policy::{Callees, Sdk},
};

/// All layers around an attempt.
pub(super) type Chain = BoxCloneSyncService<Outgoing, Answer, Failure>;

/// The chain of `way` around `attempt`; without what stands in for the service unless `with_fallback`.
pub(super) fn chain(
    way: &Arc<Way<Sdk>>,
    attempt: Attempt,
    meter: &Arc<Meter>,
    callees: &Weak<Callees>,
    with_fallback: bool,
) -> Chain {
    let held = &way.enforced;
    let rules = CallRules {
        meter: meter.clone(),
    };
    let judge = CallJudge {
        way: way.clone(),
        meter: meter.clone(),
        callees: callees.clone(),
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
    let learned = judge.clone();

    // Outermost first.
    let stack = Stack {
        rate_limit: None::<RateLimitLayer<Arc<Gcra>>>,
        // The call has its deadline already: this one holds it to that.
        deadline: Some(DeadlineLayer::new(None, rules.clone())),
        shed: None::<ShedLayer<fn(&Outgoing) -> Criticality>>,
        fallback: Some(Both::new(
            MapErrLayer::new(explained),
            option_layer(fallback),
        )),
        bulkhead: (held.bulkhead.as_ref())
            .map(|guard| BulkheadLayer::new(guard.machine.clone(), rules.clone())),
        retry: (held.retry.as_ref())
            .map(|guard| RetryLayer::new(guard.policy, guard.budget.clone(), rules.clone())),
        hedge: held
            .hedging
            .as_ref()
            .map(|guard| HedgeLayer::new(guard.hedge.clone(), guard.budget.clone(), rules.clone())),
        breaker: (held.breaker.as_ref())
            .map(|guard| BreakerLayer::new(guard.machine.clone(), judge)),
        adaptive: held.adaptive.as_ref().map(|guard| {
            let learn = move |result: Result<&Answer, &Failure>| learned.outcome(result);
            AdaptiveLayer::new(guard.machine.clone(), learn)
        }),
        attempt_timeout: None::<AttemptTimeoutLayer<CallRules>>,
    };
    BoxCloneSyncService::new(stack.layer(attempt))
}

type Fallback = FallbackLayer<Instead, CallRules, super::fallback::AnswerKey, Answer, Other>;

fn fallback(
    guard: &FallbackGuard<Sdk>,
    way: &Way<Sdk>,
    rules: &CallRules,
    callees: &Weak<Callees>,
) -> Option<Fallback> {
    let service: Arc<str> = rules.meter.service().into();
    let rule = &guard.rule;
    let other = other_service(guard, way);
    let other = other.map(|other| Other {
        callees: callees.clone(),
        callee: other.into(),
        instead_of: service.clone(),
    });
    let answers = Instead {
        service,
        fixed: rule.fixed.clone(),
    };
    // Where no source is a kept answer the plan keeps none, and this is never looked at.
    let none = || Some(Arc::new(Mutex::new(LastGood::new(1, 1).ok()?)));
    let kept = guard.kept.clone().or_else(none)?;
    let plan = rule.plan.clone();
    Some(FallbackLayer::new(
        plan,
        answers,
        rules.clone(),
        kept,
        other,
    ))
}
