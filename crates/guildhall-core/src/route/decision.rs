//! What became of a request and why: one record that feeds the `guildhall-reason` header, the
//! access log and the span, so that the three never disagree.

use std::fmt;

use super::table::Rule;
use crate::policy::Source;

macro_rules! reasons {
    ($($(#[$doc:meta])* $reason:ident $status:literal $code:literal $title:literal;)*) => {
        /// Why a request was answered as it was.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Reason {
            $($(#[$doc])* $reason,)*
        }

        impl Reason {
            /// Every reason, in the order of [`Reason::index`].
            pub const ALL: &[Reason] = &[$(Reason::$reason,)*];

            /// The stable word: in headers, logs and metrics.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$reason => $code,)* }
            }

            /// The status of the gateway's own answer; 0 where the answer is the backend's or the
            /// filter's.
            pub const fn status(self) -> u16 {
                match self { $(Self::$reason => $status,)* }
            }

            /// A short sentence for people, the same for each occurrence.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$reason => $title,)* }
            }
        }
    };
}

reasons! {
    /// A backend answered.
    Forwarded 0 "forwarded" "A backend answered";
    /// The rule redirects.
    Redirected 0 "redirected" "The route redirects";
    /// The request breaks HTTP's rules or has more than one reading.
    RequestInvalid 400 "request_invalid" "The request is not valid HTTP";
    /// An `Expect` other than `100-continue`.
    ExpectationFailed 417 "expectation_failed" "The expectation is not supported";
    /// `CONNECT`: there is nothing to tunnel to.
    MethodUnsupported 405 "method_unsupported" "The method is not supported";
    /// No documents have come yet.
    NotReady 503 "not_ready" "The gateway has no routes yet";
    /// No route's host and rules match.
    RouteNotFound 404 "route_not_found" "No route matches the request";
    /// The rule uses what this gateway does not support.
    RuleUnsupported 500 "rule_unsupported" "The route uses something that is not supported";
    /// The rule has no backend, or the chosen one does not exist or may not be used.
    BackendInvalid 500 "backend_invalid" "The route has no usable backend";
    /// None of the service's instances takes requests.
    NoHealthyEndpoint 503 "no_healthy_endpoint" "The service has no healthy instance";
    /// The service's instances speak a protocol that this gateway does not.
    ProtocolUnsupported 503 "protocol_unsupported" "The service's protocol is not supported";
    /// No connection to the backend.
    UpstreamConnectFailed 502 "upstream_connect_failed" "The backend cannot be reached";
    /// The backend closed the connection before it answered.
    UpstreamReset 502 "upstream_reset" "The backend closed the connection";
    /// The backend's answer is not valid HTTP.
    UpstreamInvalid 502 "upstream_invalid" "The backend's answer is not valid HTTP";
    /// An attempt took longer than `timeouts.backendRequest`.
    UpstreamTimeout 504 "upstream_timeout" "The backend did not answer in time";
    /// The whole took longer than `timeouts.request`.
    RequestTimeout 504 "request_timeout" "The request was not answered in time";
    /// The deadline that came with the request (`grpc-timeout`, Envoy's expected timeout) was over.
    DeadlineOver 504 "deadline_over" "The caller does not wait any longer";
    /// A rate limit of a policy is reached.
    RateLimited 429 "rate_limited" "A rate limit is reached";
    /// The service's circuit breaker is open.
    CircuitOpen 503 "circuit_open" "The service's circuit breaker is open";
    /// As many requests to the service are under way as a policy's bulkhead holds.
    BulkheadFull 503 "bulkhead_full" "Too many requests to the service are under way";
    /// As many requests to the service are under way as its latency allows.
    ConcurrencyLimited 503 "concurrency_limited" "The service is as busy as it can be";
    /// A policy's fallback answered in the service's place.
    FallbackAnswered 0 "fallback_answered" "A fallback answered for the service";
    /// The route's fault filter answered.
    FaultInjected 0 "fault_injected" "The route fails on purpose";
    /// The client went away before it was answered.
    ClientGone 499 "client_gone" "The client closed the connection";
}

impl Reason {
    /// Its place in [`Reason::ALL`].
    pub const fn index(self) -> usize {
        self as usize
    }
}

/// What became of one request. Borrowed from whatever carried the request, so that it costs
/// nothing to make.
#[derive(Clone, Copy, Debug)]
pub struct Decision<'a> {
    /// Why.
    pub reason: Reason,
    /// More about this occurrence, for people.
    pub detail: Option<&'a str>,
    /// The policy that refused, or answered in the service's place.
    pub policy: Option<&'a Source>,
    /// The rule that matched, with its route and revision.
    pub rule: Option<&'a Rule>,
    /// The service chosen, as `namespace/name`.
    pub service: Option<&'a str>,
    /// The revision that last touched the service.
    pub service_revision: u64,
    /// The instance that answered, or the last one tried.
    pub endpoint: Option<&'a str>,
    /// How many instances were tried.
    pub attempts: u32,
}

impl Decision<'_> {
    /// A decision that nothing but `reason` is known of.
    pub const fn new(reason: Reason) -> Self {
        Self {
            reason,
            detail: None,
            policy: None,
            rule: None,
            service: None,
            service_revision: 0,
            endpoint: None,
            attempts: 0,
        }
    }
}

/// As in the `guildhall-reason` header: the code, then what is known as `; key=value`.
impl fmt::Display for Decision<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason.code())?;
        if let Some(rule) = self.rule {
            write!(
                f,
                "; route={}/{}; rule={}",
                rule.route.namespace,
                rule.route.name,
                rule.label()
            )?;
            if self.service.is_none() {
                write!(f, "; revision={}", rule.route.revision)?;
            }
        }
        if let Some(service) = self.service {
            write!(f, "; service={service}; revision={}", self.service_revision)?;
        }
        if let Some(endpoint) = self.endpoint {
            write!(f, "; endpoint={endpoint}")?;
        }
        if self.attempts > 1 {
            write!(f, "; attempts={}", self.attempts)?;
        }
        if let Some(Source {
            namespace,
            policy,
            revision,
            ..
        }) = self.policy
        {
            write!(
                f,
                "; policy={namespace}/{policy}; policy-revision={revision}"
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_a_word_and_stands_once() {
        for (n, reason) in Reason::ALL.iter().enumerate() {
            assert_eq!(reason.index(), n);
            assert!(
                reason
                    .code()
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b == b'_')
            );
            assert!(Reason::ALL[..n].iter().all(|r| r.code() != reason.code()));
        }
    }

    #[test]
    fn a_decision_reads_as_code_and_facts() {
        let decision = Decision {
            service: Some("default/user-service"),
            service_revision: 7,
            attempts: 2,
            ..Decision::new(Reason::NoHealthyEndpoint)
        };
        assert_eq!(
            decision.to_string(),
            "no_healthy_endpoint; service=default/user-service; revision=7; attempts=2"
        );
    }
}
