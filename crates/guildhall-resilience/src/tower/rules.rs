//! What layers have to know of requests and answers: one set of rules for all of them.

use std::time::{Duration, Instant};

use crate::{
    deadline::Deadline,
    retry::{Body, Decision, FailureClass, Idempotency},
};

/// Reads requests and answers of some protocol for [retries](super::retry), [hedges](super::hedge),
/// [deadlines](super::deadline) and [fallbacks](super::fallback).
///
/// [`HttpRules`](super::HttpRules) are those of HTTP. A protocol of your own implements this on a type of its own:
///
/// ```
/// use guildhall_resilience::retry::{Body, FailureClass, Idempotency};
/// use guildhall_resilience::tower::Rules;
///
/// struct Lookup(String);
///
/// #[derive(Clone)]
/// struct LookupRules;
///
/// impl Rules<Lookup, u32, std::io::Error> for LookupRules {
///     fn idempotency(&self, _: &Lookup) -> Idempotency {
///         Idempotency::Idempotent
///     }
///     fn body(&self, _: &Lookup) -> Body {
///         Body::Held
///     }
///     fn again(&self, request: &Lookup) -> Option<Lookup> {
///         Some(Lookup(request.0.clone()))
///     }
///     fn failure(&self, result: Result<&u32, &std::io::Error>) -> Option<FailureClass> {
///         result.is_err().then_some(FailureClass::Reset)
///     }
/// }
/// ```
pub trait Rules<Req, Res, Err> {
    /// Whether the request may be carried out twice.
    fn idempotency(&self, request: &Req) -> Idempotency;

    /// Whether its body can be sent twice.
    fn body(&self, request: &Req) -> Body;

    /// A copy to send again; `None` if there can be none, which goes with [`Body::Streamed`].
    fn again(&self, request: &Req) -> Option<Req>;

    /// How the attempt failed; `None` if it did not.
    fn failure(&self, result: Result<&Res, &Err>) -> Option<FailureClass>;

    /// The pause that the server asked for.
    fn retry_after(&self, result: Result<&Res, &Err>) -> Option<Duration> {
        let _ = result;
        None
    }

    /// The deadline that the request carries: one that a [deadline layer](super::deadline) set, or that came with it.
    fn deadline(&self, request: &Req, now: Instant) -> Deadline {
        let _ = (request, now);
        Deadline::NEVER
    }

    /// Has the request carry this deadline, for the layers below and for the next hop.
    fn set_deadline(&self, request: &mut Req, deadline: Deadline, now: Instant) {
        let _ = (request, deadline, now);
    }

    /// A failed attempt was decided on: the place to count and log, once for each.
    fn decided(&self, class: FailureClass, decision: Decision) {
        let _ = (class, decision);
    }
}
