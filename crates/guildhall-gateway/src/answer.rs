//! The gateway's own answers: errors as RFC 9457 problems, with the decision in a header.

use bytes::Bytes;
use guildhall_core::route::{Decision, Reason};
use http::{HeaderValue, Response, StatusCode, header};
use serde::Serialize;

use crate::{
    headers::{GUILDHALL_REASON, RequestId, X_REQUEST_ID},
    record::Record,
};

/// Why a request is not passed on.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    pub(crate) reason: Reason,
    /// What is wrong this time, and the next move.
    pub(crate) detail: &'static str,
    /// Whether the connection must not carry another request.
    pub(crate) close: bool,
}

impl Refusal {
    pub(crate) const fn new(reason: Reason, detail: &'static str) -> Self {
        Self {
            reason,
            detail,
            close: false,
        }
    }

    /// The same for a request after which nobody knows where the next one begins.
    pub(crate) const fn closing(reason: Reason, detail: &'static str) -> Self {
        Self {
            reason,
            detail,
            close: true,
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Problem<'a> {
    #[serde(rename = "type")]
    page: &'a str,
    title: &'a str,
    status: u16,
    code: &'a str,
    detail: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    instance: Option<&'a str>,
    /// As in the header, for those who only see the body.
    reason: &'a str,
}

/// The answer to a refused request; its record is told.
pub(crate) fn refuse(
    refusal: &Refusal,
    record: &mut Record,
    id: Option<&RequestId>,
) -> Response<Bytes> {
    record.reason = refusal.reason;
    record.status = refusal.reason.status();
    record.detail = Some(refusal.detail).filter(|detail| !detail.is_empty());
    let mut response = problem(&record.decision(), id);
    if refusal.close {
        response
            .headers_mut()
            .insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

fn problem(decision: &Decision<'_>, id: Option<&RequestId>) -> Response<Bytes> {
    let reason = decision.to_string();
    let problem = Problem {
        page: &format!("/docs/errors/{}", decision.reason.code()),
        title: decision.reason.title(),
        status: decision.reason.status(),
        code: decision.reason.code(),
        detail: decision.detail.unwrap_or(decision.reason.title()),
        instance: id.and_then(|id| std::str::from_utf8(id.as_bytes()).ok()),
        reason: &reason,
    };
    // Strings and numbers always serialise.
    let body = serde_json::to_vec(&problem).unwrap_or_default();
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() =
        StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/problem+json"),
    );
    if let Ok(reason) = HeaderValue::try_from(&reason) {
        headers.insert(GUILDHALL_REASON, reason);
    }
    if let Some(id) = id {
        headers.insert(X_REQUEST_ID, id.to_value());
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
        let response = problem(&decision, Some(&id));
        assert_eq!(response.status(), 503);
        assert_eq!(
            response.headers()[GUILDHALL_REASON],
            "no_healthy_endpoint; service=default/users; revision=7"
        );
        assert_eq!(response.headers()[X_REQUEST_ID], "r-1");
        let body: serde_json::Value = serde_json::from_slice(response.body()).unwrap();
        assert_eq!(
            body,
            serde_json::json!({
                "type": "/docs/errors/no_healthy_endpoint",
                "title": "The service has no healthy instance",
                "status": 503,
                "code": "no_healthy_endpoint",
                "detail": "all instances are down",
                "instance": "r-1",
                "reason": "no_healthy_endpoint; service=default/users; revision=7",
            })
        );
    }
}
