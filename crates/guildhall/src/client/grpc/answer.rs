//! An answer on its way through the layers, and what its call holds until the stream ends.

use std::{sync::Arc, time::Instant};

use guildhall_core::policy::guard::Ended;
use guildhall_resilience::{
    adaptive::{self, Adaptive},
    breaker::{self, Breaker},
    bulkhead::{self, Bulkhead},
    classify::ErrorClass,
    deadline::Deadline,
    outlier::Observed,
    retry::FailureClass,
};
use http::{HeaderMap, HeaderName, Response};
use http_body::Body;
use hyper::body::Incoming;

use super::connections::Lease;
use crate::client::{StandIn, balance::Picked, rules::CallJudge};

const STATUS: HeaderName = HeaderName::from_static("grpc-status");

/// UNKNOWN: what a status that cannot be read says.
const UNKNOWN: u32 = 2;
/// DEADLINE_EXCEEDED.
const DEADLINE_EXCEEDED: u32 = 4;

/// An answer, of which the head has come.
#[derive(Debug)]
pub(super) struct GrpcAnswer {
    pub(super) response: Response<Incoming>,
    /// How the call ended, where the head says so.
    pub(super) ended: Option<Ended>,
    /// What is still to be told how it ends.
    pub(super) hold: Option<Hold>,
    /// The call's place in the bulkhead.
    pub(super) place: Option<bulkhead::Permit<Arc<Bulkhead>>>,
    pub(super) lease: Lease,
    pub(super) instance: String,
    pub(super) stand_in: Option<StandIn>,
}

impl GrpcAnswer {
    /// How the call failed, as far as the head says.
    pub(super) fn class(&self) -> Option<FailureClass> {
        match self.ended? {
            Ended::Grpc(code) => FailureClass::of_grpc(code),
            Ended::Status(status) => FailureClass::of_status(status),
            Ended::Failed(class) => Some(FailureClass::of_error(class)),
        }
    }
}

/// How a call ended whose answer's head this is; `None` if that is still to come.
pub(super) fn ended(response: &Response<Incoming>) -> Option<Ended> {
    if let Some(code) = code(response.headers()) {
        return Some(Ended::Grpc(code));
    }
    if !response.status().is_success() {
        return Some(Ended::Status(response.status().as_u16()));
    }
    let is_over = response.body().is_end_stream();
    is_over.then_some(Ended::Failed(ErrorClass::Protocol))
}

/// The status in a head or in trailers.
pub(super) fn code(headers: &HeaderMap) -> Option<u32> {
    let value = headers.get(STATUS)?.to_str().ok();
    Some(value.and_then(|code| code.parse().ok()).unwrap_or(UNKNOWN))
}

/// Leave for an attempt.
#[derive(Debug, Default)]
pub(super) struct Permits {
    pub(super) breaker: Option<breaker::Permit<Arc<Breaker>>>,
    pub(super) adaptive: Option<adaptive::Permit<Arc<Adaptive>>>,
}

/// What an attempt holds until it is known how it ended. Dropped before, it counts as nothing.
pub(super) struct Hold {
    pub(super) picked: Picked,
    pub(super) permits: Permits,
    pub(super) judge: CallJudge,
    pub(super) began: Instant,
    /// When the answer's head came.
    pub(super) answered: Option<Instant>,
    pub(super) deadline: Deadline,
}

impl Hold {
    /// The attempt ended so. How long its stream went on says nothing of the service: what goes by time goes by the
    /// time to the answer's head.
    pub(super) fn end(self, ended: Ended, now: Instant) {
        let way = &self.judge.way;
        let ended = match ended {
            // The service keeps to a deadline that came from elsewhere.
            Ended::Grpc(DEADLINE_EXCEEDED) if self.deadline.is_inherited() => {
                Ended::Failed(ErrorClass::DeadlineExceeded)
            }
            other => other,
        };
        let outcome = way.enforced.outcome(ended);
        let answered = self.answered.unwrap_or(now);
        let status = match ended {
            Ended::Status(status) => Some(status),
            Ended::Grpc(code) => Some(match FailureClass::of_grpc(code) {
                Some(FailureClass::Unavailable) => 503,
                Some(FailureClass::GatewayTimeout) => 504,
                Some(_) => 500,
                None => 200,
            }),
            Ended::Failed(_) => None,
        };
        let observed = Observed::new(outcome, status);
        let service = self.judge.meter.service();
        self.picked.end_of(service, observed, answered, now);
        if let Some(permit) = self.permits.adaptive {
            permit.record(outcome, answered);
        }
        let took = answered.saturating_duration_since(self.began);
        if let Some(permit) = self.permits.breaker
            && let Some(transition) = permit.record_took(outcome, took, now)
        {
            self.judge.tell(transition);
        }
    }
}

impl std::fmt::Debug for Hold {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hold")
            .field("picked", &self.picked)
            .field("permits", &self.permits)
            .finish_non_exhaustive()
    }
}
