//! What the client of a request under policies is told: where it stands with its limits, and whether the service answered.

use bytes::Bytes;
use guildhall_api::wire::header::REASON;
use guildhall_core::route::Reason;
use http::{HeaderMap, HeaderValue, Response, response};

use crate::record::Record;

/// Marks an answer that a fallback gave.
pub(crate) fn mark(mut answer: Response<Bytes>, record: &Record) -> Response<Bytes> {
    told(answer.headers_mut(), record);
    answer
}

/// Marks a service's answer, and keeps it if it is to be.
pub(crate) fn pass_on(head: &mut response::Parts, record: &mut Record) {
    if record.substituted.is_some() {
        record.reason = Reason::FallbackAnswered;
    } else if let Some(policed) = &mut record.policed {
        policed.answers(head);
    }
    told(&mut head.headers, record);
}

fn told(headers: &mut HeaderMap, record: &Record) {
    if let Some(policed) = &record.policed {
        policed.tell(headers);
    }
    if record.substituted.is_some()
        && let Ok(reason) = HeaderValue::try_from(record.decision().to_string())
    {
        headers.insert(REASON, reason);
    }
}
