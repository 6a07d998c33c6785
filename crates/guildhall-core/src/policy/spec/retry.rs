//! What is sent again, or twice.

use serde::{Deserialize, Serialize};

use crate::{
    document::Period,
    policy::described::{object, section},
};

section! {
    /// Whether a failed request is sent again. A request that may not be done twice is sent again only where the server
    /// certainly has not begun with it, and one with a streamed body never.
    Retry at "retry" {
        /// Whether requests are retried at all.
        enabled "enabled": bool, default "true", from "Guildhall",
            keeps "the budget's count";
        /// The most retries after the first attempt, 0 to 99.
        attempts "attempts": u32, default "2", from "HTTPRoute's `retry.attempts`; resilience4j counts the first in and has 3",
            keeps "everything; the next failure follows it";
        /// Which failures are worth another attempt.
        retry_on "retryOn": Vec<RetryOn>,
            default r#"["connect", "refused", "reset", "attempt-timeout", "bad-gateway", "unavailable", "gateway-timeout", "throttled"]"#,
            from "Envoy's `retry_on`", keeps "everything; the next failure follows it";
        /// The pause before a retry: any time up to a ceiling that doubles (full jitter).
        back_off "backOff": BackOff, default r#"{"baseInterval": "25ms", "maxInterval": "250ms"}"#,
            from "Envoy's `retry_back_off`", keeps "everything; pauses under way end as they began";
        /// The longest `Retry-After` that is waited for; a longer one ends the retries.
        max_retry_after "maxRetryAfter": Period, default r#""10s""#, from "Guildhall",
            keeps "everything; the next failure follows it";
        /// What retries may cost together.
        budget "budget": RetryBudget, default r#"{"percent": 20, "minRetriesPerSecond": 10}"#,
            from "linkerd's and Gateway API's retry budgets", keeps "the count of the last ten seconds";
    }
}

/// A failure that a retry may follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RetryOn {
    /// No connection came about.
    Connect,
    /// The server turned the request away unseen (HTTP/2's `REFUSED_STREAM`).
    Refused,
    /// The connection broke.
    Reset,
    /// `timeouts.backendRequest` was over.
    AttemptTimeout,
    /// 502.
    BadGateway,
    /// 503.
    Unavailable,
    /// 504.
    GatewayTimeout,
    /// 429 with a `Retry-After`.
    Throttled,
    /// Another 5xx.
    ServerError,
}

object! {
    /// An exponential pause.
    BackOff {
        /// The ceiling before the first retry, in milliseconds or more; `0s` is no pause.
        base_interval "baseInterval": Period, from "Envoy's `base_interval`";
        optional
        /// The highest ceiling, up to a day.
        max_interval "maxInterval": Period, default "(10 × baseInterval)", from "Envoy's `max_interval`";
    }
}

object! {
    /// What retries, or hedges, may cost together, counted over ten seconds.
    RetryBudget {
        /// Retries for each hundred requests, in percent, 0 to 1000.
        percent "percent": f64, from "Gateway API's `budget.percent`";
        optional
        /// Retries a second whether there are requests or not, 0 to 10,000: what a caller with little traffic lives on.
        min_retries_per_second "minRetriesPerSecond": u32, default "(10 for retries, 1 for hedges)",
            from "linkerd's `minRetriesPerSecond`";
    }
}

section! {
    /// Whether a second request is sent while the first still runs. Only requests that may be done twice are hedged.
    Hedging at "hedging" {
        /// Whether requests are hedged at all.
        enabled "enabled": bool, default "true", from "Guildhall",
            keeps "the latencies measured and the budget's count";
        /// The most hedges after the first request, 0 to 4.
        attempts "attempts": u32, default "1", from "gRPC's `hedgingPolicy.maxAttempts`, which counts the first in",
            keeps "everything; the next request follows it";
        /// How long the requests before have to answer.
        delay "delay": HedgeDelay, default r#"{"percentile": 95}"#,
            from "gRPC's `hedgingDelay`; Dean and Barroso, \"The Tail at Scale\"",
            keeps "the latencies measured";
        /// What hedges may cost together.
        budget "budget": RetryBudget, default r#"{"percent": 5, "minRetriesPerSecond": 1}"#, from "\"The Tail at Scale\": some 5%",
            keeps "the count of the last ten seconds";
    }
}

object! {
    /// When a hedge is sent: after a fixed time, or after what a share of requests takes. Give one of the two.
    HedgeDelay {
        optional
        /// Always this time.
        fixed "fixed": Period, default "none", from "gRPC's `hedgingDelay`";
        optional
        /// As long as this share of requests takes, in percent, above 0 and below 100.
        percentile "percentile": f64, default "none", from "\"The Tail at Scale\"";
        optional
        /// With `percentile`: never sooner than this.
        at_least "atLeast": Period, default r#""1ms""#, from "Guildhall: below it a second request costs more than it wins";
        optional
        /// With `percentile`: once so many requests of the last minute were measured.
        samples "samples": u32, default "100", from "Guildhall";
    }
}
