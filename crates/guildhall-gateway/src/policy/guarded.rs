//! One attempt with its guards: the service's breaker, then its adaptive limit.

use guildhall_resilience::adaptive::Adaptive;

use super::judge;
use crate::{
    answer::Refusal,
    body::RequestBody,
    clock,
    exchange::{self, Answered, Exchange, Lane},
    snapshot::Rules,
};

/// Sends a request, if the service may be called at present. Dropped before its end, it counts as nothing.
pub(super) async fn guarded(
    on: &Exchange<'_>,
    rules: &Rules,
    lane: &mut Lane,
    request: http::Request<RequestBody>,
) -> Result<Answered, Refusal> {
    let breaker = match &rules.breaker {
        None => None,
        Some(guard) => match guard.machine.acquire_at(clock::now) {
            Ok(permit) => {
                if let Some(transition) = permit.transition() {
                    tell(on, &transition);
                }
                Some(permit)
            }
            Err(refusal) => {
                if let Some(transition) = &refusal.transition {
                    tell(on, transition);
                }
                return Err(Refusal::rejected(rules.explain(refusal.into())));
            }
        },
    };
    let adaptive = match &rules.adaptive {
        None => None,
        Some(guard) => match Adaptive::acquire(&*guard.machine, clock::now()) {
            Ok(permit) => Some(permit),
            Err(at_limit) => return Err(Refusal::rejected(guard.reject(at_limit))),
        },
    };
    let result = exchange::attempt(on, lane, request).await;
    if breaker.is_none() && adaptive.is_none() {
        return result;
    }
    let now = clock::now();
    let outcome = rules.outcome(judge::ended_with(&result, on.attempt_timeout.is_some()));
    if let Some(permit) = breaker
        && let Some(transition) = permit.record(outcome, now)
    {
        tell(on, &transition);
    }
    if let Some(permit) = adaptive {
        permit.record(outcome, now);
    }
    result
}

/// Says what happened to the service's breaker.
fn tell(on: &Exchange<'_>, transition: &guildhall_resilience::breaker::Transition) {
    tracing::info!(
        service = &*on.cluster.label,
        from = %transition.from,
        to = %transition.to,
        reason = %transition.reason,
        "a circuit breaker has changed its state"
    );
}
