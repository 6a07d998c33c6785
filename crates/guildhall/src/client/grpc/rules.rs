//! What the layers have to know of calls by gRPC and their answers.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use guildhall_resilience::{
    deadline::Deadline,
    retry::{Body, Decision, FailureClass, Idempotency},
    tower::Rules,
};
use http::{HeaderMap, HeaderName};

use super::{
    answer::GrpcAnswer,
    call::{CallBody, GrpcCall},
};
use crate::{client::failure::Failure, metrics::Meter};

const PUSHBACK: HeaderName = HeaderName::from_static("grpc-retry-pushback-ms");

/// Reads calls and answers for retries, hedges, deadlines and fallbacks.
#[derive(Clone, Debug)]
pub(super) struct GrpcRules {
    pub(super) meter: Arc<Meter>,
}

impl Rules<GrpcCall, GrpcAnswer, Failure> for GrpcRules {
    fn idempotency(&self, call: &GrpcCall) -> Idempotency {
        match call.idempotent {
            true => Idempotency::Idempotent,
            false => Idempotency::Unknown,
        }
    }

    fn body(&self, call: &GrpcCall) -> Body {
        match call.body {
            CallBody::Held(_) => Body::Held,
            CallBody::Streamed(..) => Body::Streamed,
        }
    }

    fn again(&self, call: &GrpcCall) -> Option<GrpcCall> {
        call.again()
    }

    fn failure(&self, result: Result<&GrpcAnswer, &Failure>) -> Option<FailureClass> {
        match result {
            Ok(answer) => answer.class(),
            Err(failure) => Some(failure.class()),
        }
    }

    fn retry_after(&self, result: Result<&GrpcAnswer, &Failure>) -> Option<Duration> {
        pushback(result.ok()?.response.headers())
    }

    fn deadline(&self, call: &GrpcCall, _: Instant) -> Deadline {
        call.deadline
    }

    fn set_deadline(&self, call: &mut GrpcCall, deadline: Deadline, _: Instant) {
        call.deadline = deadline;
    }

    fn decided(&self, class: FailureClass, decision: Decision) {
        self.meter.decided(class, decision);
    }
}

/// The pause that the server asks for (gRPC's A6, "pushback"). What is negative or no number says not to come again,
/// which is more than anybody waits for.
fn pushback(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get(PUSHBACK)?.to_str().ok();
    let pause = value.and_then(|millis| millis.parse().ok());
    Some(pause.map_or(Duration::MAX, Duration::from_millis))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn a_pushback_is_a_pause_or_a_no() {
        let table = [
            ("250", Some(Duration::from_millis(250))),
            ("0", Some(Duration::ZERO)),
            ("-1", Some(Duration::MAX)),
            ("soon", Some(Duration::MAX)),
        ];
        for (value, expect) in table {
            let mut headers = HeaderMap::new();
            headers.insert(PUSHBACK, HeaderValue::from_static(value));
            assert_eq!(pushback(&headers), expect, "{value}");
        }
        assert_eq!(pushback(&HeaderMap::new()), None);
    }
}
