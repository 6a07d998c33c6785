//! The gateway's own answers: errors as RFC 9457 problems, with the decision in a header.

use bytes::Bytes;
use guildhall_api::wire::{Code, PROBLEM_JSON, PolicyRef, Problem, header::REASON};
use guildhall_core::{
    policy::guard::Rejected,
    route::{Decision, Reason},
};
use guildhall_resilience::{Pattern, retry::retry_after};
use http::{HeaderValue, Response, StatusCode, header};

use crate::{
    headers::{RequestId, X_REQUEST_ID},
    record::Record,
};

/// Why a request is not passed on.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    pub(crate) reason: Reason,
    /// What is wrong this time, and the next move.
    pub(crate) detail: &'static str,
    /// Where it is not the reason's own.
    pub(crate) status: Option<StatusCode>,
    /// The policy that refused, and when to come back.
    pub(crate) rejected: Option<Box<Rejected>>,
    /// Whether the connection must not carry another request.
    pub(crate) close: bool,
}

impl Refusal {
    pub(crate) const fn new(reason: Reason, detail: &'static str) -> Self {
        Self {
            reason,
            detail,
            status: None,
            rejected: None,
            close: false,
        }
    }

    /// By a policy.
    pub(crate) fn rejected(rejected: Rejected) -> Self {
        let reason = match rejected.by {
            Pattern::RateLimit => Reason::RateLimited,
            Pattern::Breaker => Reason::CircuitOpen,
            Pattern::Bulkhead => Reason::BulkheadFull,
            Pattern::Adaptive => Reason::ConcurrencyLimited,
            Pattern::Deadline => Reason::RequestTimeout,
            _ => Reason::NoHealthyEndpoint,
        };
        Self {
            rejected: Some(Box::new(rejected)),
            ..Self::new(reason, "")
        }
    }

    /// The same for a request after which nobody knows where the next one begins.
    pub(crate) const fn closing(reason: Reason, detail: &'static str) -> Self {
        Self {
            reason,
            detail,
            status: None,
            rejected: None,
            close: true,
        }
    }
}

/// The code that stands in a problem for `reason`: each has a page, and says the next move; the
/// reason in the header says what exactly refused.
fn code(reason: Reason) -> Code {
    match reason {
        Reason::RequestInvalid | Reason::ExpectationFailed => Code::BadRequest,
        Reason::MethodUnsupported => Code::MethodNotAllowed,
        Reason::NotReady => Code::NotReady,
        Reason::RouteNotFound => Code::NoRoute,
        Reason::RuleUnsupported | Reason::BackendInvalid => Code::NoBackend,
        Reason::NoHealthyEndpoint | Reason::ProtocolUnsupported => Code::NoInstance,
        Reason::UpstreamConnectFailed => Code::UpstreamUnreachable,
        Reason::UpstreamReset | Reason::UpstreamInvalid => Code::UpstreamFailed,
        Reason::UpstreamTimeout | Reason::RequestTimeout | Reason::DeadlineOver => {
            Code::UpstreamTimeout
        }
        Reason::RateLimited => Code::RateLimited,
        Reason::CircuitOpen => Code::CircuitOpen,
        Reason::BulkheadFull | Reason::ConcurrencyLimited => Code::Overloaded,
        Reason::FaultInjected => Code::FaultInjected,
        // Never answered by the gateway itself.
        Reason::Forwarded | Reason::Redirected | Reason::FallbackAnswered | Reason::ClientGone => {
            Code::Internal
        }
    }
}

/// The answer to a refused request; its record is told.
pub(crate) fn refuse(
    refusal: Refusal,
    record: &mut Record,
    id: Option<&RequestId>,
) -> Response<Bytes> {
    record.reason = refusal.reason;
    record.status = refusal
        .status
        .map_or(refusal.reason.status(), |status| status.as_u16());
    record.detail = Some(refusal.detail).filter(|detail| !detail.is_empty());
    record.rejected = refusal.rejected;
    let rejected = record.rejected.as_deref();
    let mut response = problem(&record.decision(), rejected, record.status, id);
    if let Some(policed) = &record.policed {
        policed.tell(response.headers_mut());
    }
    if refusal.close {
        response
            .headers_mut()
            .insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

fn problem(
    decision: &Decision<'_>,
    rejected: Option<&Rejected>,
    status: u16,
    id: Option<&RequestId>,
) -> Response<Bytes> {
    let detail = match (decision.detail, rejected) {
        (Some(detail), Some(rejected)) => format!("{detail}: {}", rejected.policy),
        (Some(detail), None) => detail.to_owned(),
        (None, Some(rejected)) => rejected.to_string(),
        (None, None) => String::new(),
    };
    let mut problem = Problem::new(code(decision.reason), detail);
    problem.policy = rejected.map(|rejected| PolicyRef::of(&rejected.policy));
    problem.status = status;
    if let Some(id) = id.and_then(|id| std::str::from_utf8(id.as_bytes()).ok()) {
        problem = problem.with_request_id(id);
    }
    let mut response = Response::new(Bytes::from(problem.to_json()));
    *response.status_mut() = problem.status_code();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
    if let Ok(reason) = HeaderValue::try_from(decision.to_string()) {
        headers.insert(REASON, reason);
    }
    if let Some(id) = id {
        headers.insert(X_REQUEST_ID, id.to_value());
    }
    if let Some(after) = rejected.and_then(|rejected| rejected.retry_after) {
        headers.insert(
            header::RETRY_AFTER,
            retry_after::format(after).max(1).into(),
        );
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_why_in_body_and_header() {
        let decision = Decision {
            detail: Some("all instances are down"),
            service: Some("default/users"),
            service_revision: 7,
            ..Decision::new(Reason::NoHealthyEndpoint)
        };
        let id = RequestId::Given(HeaderValue::from_static("r-1"));
        let response = problem(&decision, None, 503, Some(&id));
        assert_eq!(response.status(), 503);
        assert_eq!(
            response.headers()[REASON],
            "no_healthy_endpoint; service=default/users; revision=7"
        );
        assert_eq!(response.headers()[X_REQUEST_ID], "r-1");
        let body: serde_json::Value = serde_json::from_slice(response.body()).unwrap();
        assert_eq!(
            body,
            serde_json::json!({
                "type": "/docs/errors/no-instance",
                "title": "The service has no healthy instance",
                "status": 503,
                "code": "no-instance",
                "detail": "all instances are down",
                "instance": "r-1",
            })
        );
    }
}
