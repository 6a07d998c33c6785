//! The rules of HTTP: methods, statuses, `Retry-After`, and deadlines in headers.

use std::{
    error::Error,
    fmt,
    time::{Duration, Instant},
};

use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};

use super::{Rules, breaker::HttpJudge, clock, deadline::Expired};
use crate::{
    Rejection,
    classify::{Classify, ErrorClass},
    deadline::{Deadline, header},
    retry::{Body, FailureClass, Idempotency, retry_after},
};

/// [`Rules`] for `http::Request<B>` whose body can be cloned: one that is held in memory.
///
/// - Idempotent is what RFC 9110 says, and what carries an `Idempotency-Key`.
/// - A deadline comes in by `grpc-timeout` or `x-envoy-expected-rq-timeout-ms`, travels between layers in the request's
///   extensions, and goes out the way it came in: `grpc-timeout` for gRPC, else Envoy's header.
pub struct HttpRules<E> {
    class_of: fn(&E) -> FailureClass,
}

impl<E> Clone for HttpRules<E> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<E> Copy for HttpRules<E> {}

impl<E> fmt::Debug for HttpRules<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpRules").finish_non_exhaustive()
    }
}

impl<E> HttpRules<E> {
    /// With errors classified by this.
    pub fn new(class_of: fn(&E) -> FailureClass) -> Self {
        Self { class_of }
    }
}

impl Default for HttpRules<Box<dyn Error + Send + Sync>> {
    /// For boxed errors: an [`Expired`] is what its [`Expiry`](crate::deadline::Expiry) says, a [`Rejection`] is
    /// rejected, and all others are a broken connection, which is retried only where that does no harm.
    fn default() -> Self {
        Self::new(|error| {
            if let Some(expired) = error.downcast_ref::<Expired>() {
                expired.expiry.class()
            } else if error.is::<Rejection>() {
                FailureClass::Rejected
            } else {
                FailureClass::Reset
            }
        })
    }
}

impl Default for HttpJudge<Box<dyn Error + Send + Sync>> {
    /// By [`Classify`]'s defaults, with boxed errors told apart as [`HttpRules::default`] does.
    fn default() -> Self {
        Self::new(Classify::default(), |error| {
            if let Some(expired) = error.downcast_ref::<Expired>() {
                expired.expiry.error()
            } else if error.is::<Rejection>() {
                ErrorClass::Rejected
            } else {
                ErrorClass::Reset
            }
        })
    }
}

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const GRPC_TIMEOUT: HeaderName = HeaderName::from_static(header::GRPC_TIMEOUT);
const ENVOY_EXPECTED: HeaderName = HeaderName::from_static(header::ENVOY_EXPECTED);

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

impl<B: Clone, R, E> Rules<Request<B>, Response<R>, E> for HttpRules<E> {
    fn idempotency(&self, request: &Request<B>) -> Idempotency {
        if request.headers().contains_key(IDEMPOTENCY_KEY) {
            return Idempotency::Idempotent;
        }
        Idempotency::of_method(request.method().as_str())
    }

    fn body(&self, _: &Request<B>) -> Body {
        Body::Held
    }

    fn again(&self, request: &Request<B>) -> Option<Request<B>> {
        Some(request.clone())
    }

    fn failure(&self, result: Result<&Response<R>, &E>) -> Option<FailureClass> {
        match result {
            Ok(response) => FailureClass::of_status(response.status().as_u16()),
            Err(error) => Some((self.class_of)(error)),
        }
    }

    fn retry_after(&self, result: Result<&Response<R>, &E>) -> Option<Duration> {
        let headers = result.ok()?.headers();
        retry_after::parse(text(headers, http::header::RETRY_AFTER)?, clock::wall())
    }

    fn deadline(&self, request: &Request<B>, now: Instant) -> Deadline {
        if let Some(deadline) = request.extensions().get::<Deadline>() {
            return *deadline;
        }
        let headers = request.headers();
        let grpc = text(headers, GRPC_TIMEOUT).and_then(header::parse_grpc_timeout);
        let asked =
            grpc.or_else(|| text(headers, ENVOY_EXPECTED).and_then(header::parse_envoy_expected));
        asked.map_or(Deadline::NEVER, |asked| Deadline::inherited(asked, now))
    }

    fn set_deadline(&self, request: &mut Request<B>, deadline: Deadline, now: Instant) {
        request.extensions_mut().insert(deadline);
        let Some(left) = deadline.remaining(now) else {
            return;
        };
        let headers = request.headers_mut();
        let is_grpc = headers.contains_key(GRPC_TIMEOUT)
            || text(headers, http::header::CONTENT_TYPE)
                .is_some_and(|kind| kind.starts_with("application/grpc"));
        if is_grpc {
            let written = header::format_grpc_timeout(left).to_string();
            // Digits and a letter are always a value.
            if let Ok(value) = HeaderValue::try_from(written) {
                headers.insert(GRPC_TIMEOUT, value);
            }
        } else {
            headers.insert(ENVOY_EXPECTED, header::format_envoy_expected(left).into());
        }
    }
}
