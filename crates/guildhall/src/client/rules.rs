//! What the layers have to know of calls and their answers.

use std::{
    sync::{Arc, Weak},
    time::{Duration, Instant},
};

use guildhall_core::policy::guard::{Ended, Way};
use guildhall_resilience::{
    Outcome,
    breaker::{Refusal, Transition},
    deadline::{Deadline, header},
    retry::{Body, Decision, FailureClass, Idempotency, retry_after},
    tower::{Rules, breaker::Judge},
};
use http::{HeaderName, HeaderValue, header::RETRY_AFTER};

use super::{Answer, failure::Failure, outgoing::Outgoing};
use crate::{
    clock,
    metrics::Meter,
    policy::{Callees, Sdk},
};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const EXPECTED: HeaderName = HeaderName::from_static(header::ENVOY_EXPECTED);

/// How a call ended, for whatever judges the service.
pub(crate) fn ended(result: Result<&Answer, &Failure>) -> Ended {
    match result {
        Ok(answer) => Ended::Status(answer.status().as_u16()),
        Err(failure) => Ended::Failed(failure.error_class()),
    }
}

/// How a call failed; `None` if it did not.
pub(crate) fn class(result: Result<&Answer, &Failure>) -> Option<FailureClass> {
    match result {
        Ok(answer) => FailureClass::of_status(answer.status().as_u16()),
        Err(failure) => Some(failure.class()),
    }
}

/// Reads calls and answers for retries, hedges, deadlines and fallbacks.
#[derive(Clone, Debug)]
pub(crate) struct CallRules {
    pub(super) meter: Arc<Meter>,
}

impl Rules<Outgoing, Answer, Failure> for CallRules {
    fn idempotency(&self, outgoing: &Outgoing) -> Idempotency {
        if outgoing.request.headers().contains_key(IDEMPOTENCY_KEY) {
            return Idempotency::Idempotent;
        }
        Idempotency::of_method(outgoing.request.method().as_str())
    }

    fn body(&self, _: &Outgoing) -> Body {
        Body::Held
    }

    fn again(&self, outgoing: &Outgoing) -> Option<Outgoing> {
        Some(outgoing.clone())
    }

    fn failure(&self, result: Result<&Answer, &Failure>) -> Option<FailureClass> {
        class(result)
    }

    fn retry_after(&self, result: Result<&Answer, &Failure>) -> Option<Duration> {
        let value = result.ok()?.headers().get(RETRY_AFTER)?.to_str().ok()?;
        retry_after::parse(value, clock::wall())
    }

    fn deadline(&self, outgoing: &Outgoing, _: Instant) -> Deadline {
        outgoing.deadline
    }

    fn set_deadline(&self, outgoing: &mut Outgoing, deadline: Deadline, _: Instant) {
        outgoing.deadline = deadline;
    }

    fn decided(&self, class: FailureClass, decision: Decision) {
        self.meter.decided(class, decision);
    }
}

/// Tells the next hop how long it has.
pub(crate) fn tell_deadline(outgoing: &mut Outgoing, left: Duration) {
    let millis = HeaderValue::from(header::format_envoy_expected(left));
    outgoing.request.headers_mut().insert(EXPECTED, millis);
}

/// Judges answers for the breaker, and tells what that does.
#[derive(Clone)]
pub(crate) struct CallJudge {
    pub(super) way: Arc<Way<Sdk>>,
    pub(super) meter: Arc<Meter>,
    pub(super) callees: Weak<Callees>,
}

impl Judge<Answer, Failure> for CallJudge {
    fn outcome(&self, result: Result<&Answer, &Failure>) -> Outcome {
        self.way.enforced.outcome(ended(result))
    }

    fn changed(&self, transition: Transition) {
        self.tell(transition);
    }

    fn refused(&self, _: &Refusal) {}
}

impl CallJudge {
    /// Tells whoever has to know that the breaker changed its state.
    pub(super) fn tell(&self, transition: Transition) {
        let service = self.meter.service();
        tracing::warn!(service, breaker = %transition, "the breaker changed its state");
        self.meter.breaker(transition.to);
        if let Some(callees) = self.callees.upgrade() {
            callees.note_change();
        }
    }
}
