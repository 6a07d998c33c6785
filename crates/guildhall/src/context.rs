//! What a request carries through a service: its id, its place in a trace, and how long anybody waits for its answer.
//!
//! The context is local to the task that answers the request, so that calls which the handler makes
//! carry it without being told. A task that the handler spawns starts without one: take
//! [`RequestContext::current`] before and give it to [`RequestContext::scope`] inside.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use guildhall_api::wire::header;
use guildhall_resilience::deadline::{Deadline, header as limit};
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::clock;

tokio::task_local! {
    static CONTEXT: RequestContext;
}

/// What a request carries through every hop.
#[derive(Clone, Debug)]
pub struct RequestContext {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    id: HeaderValue,
    traceparent: Option<HeaderValue>,
    tracestate: Option<HeaderValue>,
    deadline: Deadline,
}

impl RequestContext {
    /// The context that a request's headers carry; a missing or unusable id is made up. The caller's deadline
    /// (`x-envoy-expected-rq-timeout-ms` or `grpc-timeout`) begins to run.
    pub fn of(headers: &HeaderMap) -> Self {
        let accepted = headers
            .get(header::REQUEST_ID)
            .filter(|id| id.to_str().is_ok_and(header::is_request_id));
        let inner = Inner {
            id: accepted.cloned().unwrap_or_else(new_id),
            traceparent: headers.get(header::TRACEPARENT).cloned(),
            tracestate: headers.get(header::TRACESTATE).cloned(),
            deadline: deadline(headers, clock::now()),
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// The context of the request that this task answers.
    ///
    /// ```
    /// use guildhall::RequestContext;
    ///
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// let context = RequestContext::of(&http::HeaderMap::new());
    /// let id = context.request_id().to_owned();
    /// let seen = context.scope(async { RequestContext::current().unwrap().request_id().to_owned() });
    /// assert_eq!(seen.await, id);
    /// assert!(RequestContext::current().is_none());
    /// # });
    /// ```
    pub fn current() -> Option<Self> {
        CONTEXT.try_with(Clone::clone).ok()
    }

    /// Runs `future` as a part of this request.
    pub async fn scope<F: Future>(self, future: F) -> F::Output {
        CONTEXT.scope(self, future).await
    }

    /// Runs `call` as a part of this request.
    #[cfg(feature = "grpc")]
    pub(crate) fn enter<R>(&self, call: impl FnOnce() -> R) -> R {
        CONTEXT.sync_scope(self.clone(), call)
    }

    /// The request's id, as in its log line.
    pub fn request_id(&self) -> &str {
        self.inner.id.to_str().unwrap_or_default()
    }

    /// How long the caller still waits for the answer, if it said so. Calls that the handler makes wait no longer
    /// than that, and say so to whom they call.
    pub fn remaining(&self) -> Option<Duration> {
        self.inner.deadline.remaining(clock::now())
    }

    pub(crate) fn deadline(&self) -> Deadline {
        self.inner.deadline
    }

    pub(crate) fn id_header(&self) -> HeaderValue {
        self.inner.id.clone()
    }

    /// Adds the context to the headers of an outgoing call, except what the call sets itself.
    pub(crate) fn inject(&self, headers: &mut HeaderMap) {
        let mut set = |name: HeaderName, value: Option<&HeaderValue>| {
            if let Some(value) = value.filter(|_| !headers.contains_key(&name)) {
                headers.insert(name, value.clone());
            }
        };
        set(header::REQUEST_ID, Some(&self.inner.id));
        set(header::TRACEPARENT, self.inner.traceparent.as_ref());
        set(header::TRACESTATE, self.inner.tracestate.as_ref());
    }
}

/// How long whoever sent these headers waits from `now` on.
fn deadline(headers: &HeaderMap, now: Instant) -> Deadline {
    let text = |name: &str| headers.get(name)?.to_str().ok();
    let left = text(limit::GRPC_TIMEOUT)
        .and_then(limit::parse_grpc_timeout)
        .or_else(|| text(limit::ENVOY_EXPECTED).and_then(limit::parse_envoy_expected));
    left.map_or(Deadline::NEVER, |left| Deadline::inherited(left, now))
}

/// 128 random bits in hexadecimal.
fn new_id() -> HeaderValue {
    let id = format!("{:032x}", fastrand::u128(..));
    HeaderValue::try_from(id).unwrap_or(HeaderValue::from_static("0"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_accepted_or_made_and_trace_context_passed_on() {
        let mut headers = HeaderMap::new();
        headers.insert("x-request-id", HeaderValue::from_static("r-1"));
        headers.insert("traceparent", HeaderValue::from_static("00-a-b-01"));
        let context = RequestContext::of(&headers);
        let mut outgoing = HeaderMap::new();
        outgoing.insert("traceparent", HeaderValue::from_static("00-a-c-01"));
        context.inject(&mut outgoing);
        assert_eq!(outgoing["x-request-id"], "r-1");
        assert_eq!(outgoing["traceparent"], "00-a-c-01");
        assert!(!outgoing.contains_key("tracestate"));

        headers.insert("x-request-id", HeaderValue::from_static("with space"));
        let made = RequestContext::of(&headers);
        assert_eq!(made.request_id().len(), 32);
        assert_ne!(
            made.request_id(),
            RequestContext::of(&HeaderMap::new()).request_id()
        );
    }

    #[test]
    fn the_callers_deadline_is_taken_over() {
        let (now, mut headers) = (clock::now(), HeaderMap::new());
        assert_eq!(deadline(&headers, now), Deadline::NEVER);
        headers.insert(limit::ENVOY_EXPECTED, HeaderValue::from_static("1500"));
        let left = |headers: &HeaderMap| deadline(headers, now).remaining(now);
        assert_eq!(left(&headers), Some(Duration::from_millis(1500)));
        headers.insert(limit::GRPC_TIMEOUT, HeaderValue::from_static("2S"));
        assert_eq!(left(&headers), Some(Duration::from_secs(2)));
        assert!(deadline(&headers, now).is_inherited());
    }
}
