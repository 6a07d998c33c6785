//! How many requests: in how much time, and at once.

use serde::{Deserialize, Serialize};

use super::RequestKey;
use crate::{
    document::Period,
    policy::described::{object, section},
};

section! {
    /// How many requests in how much time. Each gateway and each SDK counts for itself, unless a rule's `scope` says
    /// otherwise.
    RateLimit at "rateLimit" {
        /// Whether requests are limited at all.
        enabled "enabled": bool, default "true", from "Guildhall",
            keeps "counts, for the ten minutes for which state outlives its rule";
        /// The limits; a request must pass all of them. At most 8. A more specific policy's list replaces the others'.
        rules "rules": Vec<RateLimitRule>, default "[]", from "Envoy Gateway's `rateLimit.local.rules`",
            keeps "counts of the rules that keep their name, `algorithm`, `key` and `scope`; what was used up stays used up";
    }
}

object! {
    /// One limit.
    RateLimitRule {
        /// Its name, unique in the list: what refusals and metrics say, and by what its count is kept.
        name "name": String, from "Guildhall";
        /// How many requests in a `period`, 1 or more.
        requests "requests": u32, from "Envoy Gateway's `limit.requests`, resilience4j's `limitForPeriod`";
        /// The period.
        period "period": Period, from "Envoy's `fill_interval`, resilience4j's `limitRefreshPeriod`";
        optional
        /// `TokenBucket`: how many at once after a pause.
        burst "burst": u32, default "(as many as requests)", from "Envoy's `max_tokens`";
        optional
        /// How requests are counted.
        algorithm "algorithm": RateLimitAlgorithm, default r#""TokenBucket""#, from "Guildhall";
        optional
        /// Who counts together. `Exact`, `Shared`: `TokenBucket` only, and the latter without `key`.
        scope "scope": RateLimitScope, default r#""Local""#, from "Envoy Gateway's `rateLimit.local` and `rateLimit.global`";
        optional
        /// `TokenBucket`: each key has the limit for itself; without it all requests share one.
        key "key": RequestKey, default "none", from "Envoy Gateway's `clientSelectors` of type Distinct";
        optional
        /// With `key`: how many keys are remembered at once, 1 to 1,000,000; one that nobody asked for lately goes first.
        max_keys "maxKeys": u32, default "10000", from "Guildhall";
        optional
        /// `LeakyQueue`, `WarmUp`: how long a request may have to wait for its turn before it is refused, up to 1h.
        max_wait "maxWait": Period, default r#""0s""#, from "Sentinel's `maxQueueingTimeMs`, resilience4j's `timeoutDuration`";
        optional
        /// `WarmUp`: how long it takes from cold to the full rate at full use.
        warm_up_period "warmUpPeriod": Period, default r#""10s""#, from "Sentinel's `warmUpPeriodSec`";
        optional
        /// `WarmUp`: how many times slower a cold service is asked, above 1 and up to 1000.
        cold_factor "coldFactor": f64, default "3", from "Guava, Sentinel";
    }
}

/// How a rate limit counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum RateLimitAlgorithm {
    /// A burst, then evenly at the rate (GCRA).
    #[default]
    TokenBucket,
    /// So many in any period.
    SlidingWindow,
    /// Evenly at the rate; requests wait for their turn.
    LeakyQueue,
    /// The same, more slowly after a pause.
    WarmUp,
}

/// Who counts a rate limit together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum RateLimitScope {
    /// Each gateway and each SDK for itself.
    #[default]
    Local,
    /// Each for itself, against its part of the limit: the control plane divides it anew every few seconds, by what each is
    /// asked for. One that was not told its part yet lets a tenth of the limit pass.
    Shared,
    /// All of them together, in Redis: every request asks. Where none is set, or it does not answer, each for itself.
    Exact,
}

section! {
    /// How many requests at once. For targets of kind Service or Namespace only.
    Bulkhead at "bulkhead" {
        /// Whether requests under way are limited at all.
        enabled "enabled": bool, default "true", from "Guildhall",
            keeps "requests under way and those that wait";
        /// Requests at once, 1 or more.
        max_concurrent_calls "maxConcurrentCalls": u32, default "1024", from "resilience4j's name, Envoy's `max_requests`",
            keeps "requests under way, beyond a lower limit too, and those that wait";
        /// How many more may wait, up to 1,000,000; 0 is none.
        max_pending_requests "maxPendingRequests": u32, default "(0; as many as maxConcurrentCalls if maxWaitDuration is given)",
            from "Envoy's `max_pending_requests`", keeps "those that wait, beyond a lower limit too";
        /// How long each may wait; `0s` is not at all.
        max_wait_duration "maxWaitDuration": Period, default "(0s; 100ms if maxPendingRequests is given)",
            from "resilience4j's `maxWaitDuration`", keeps "those that wait, for as long as they were given";
    }
}

section! {
    /// How many requests at once, found out by latency. For targets of kind Service or Namespace only.
    AdaptiveConcurrency at "adaptiveConcurrency" {
        /// Whether the limit holds at all.
        enabled "enabled": bool, default "true", from "Guildhall",
            keeps "the limit found, for the ten minutes for which state outlives its rule";
        /// What moves the limit.
        algorithm "algorithm": AdaptiveAlgorithm, default r#""Gradient""#, from "Netflix's concurrency-limits",
            keeps "the limit and requests under way; another algorithm begins to learn";
        /// The least limit, 1 or more.
        min_concurrency "minConcurrency": u32, default "(20, or maxConcurrency if that is less)", from "Envoy's `min_concurrency`, Netflix's `minLimit`",
            keeps "the limit, moved into the new bounds, and requests under way";
        /// The limit at first.
        initial_concurrency "initialConcurrency": u32, default "(20, within the bounds)", from "Netflix's `initialLimit`",
            keeps "the limit and requests under way";
        /// The greatest limit, up to 1,000,000.
        max_concurrency "maxConcurrency": u32, default "(200, or minConcurrency if that is more)", from "Netflix's `maxLimit`",
            keeps "the limit, moved into the new bounds, and requests under way";
        /// How long requests are measured before the limit moves, up to an hour.
        sample_window "sampleWindow": Period, default r#""100ms""#, from "Envoy's `concurrency_update_interval`",
            keeps "limit and averages";
        /// Of how many requests at least, 1 to 100,000.
        min_samples "minSamples": u32, default "10", from "Netflix's `minWindowSize`", keeps "limit and averages";
        /// The share of failed requests from which a window counts as overloaded, in percent, above 0 and up to 100.
        overload_percent "overloadPercent": f64, default "10", from "Guildhall", keeps "limit and averages";
        /// `Gradient`: its parameters.
        gradient "gradient": GradientParameters, default "{}", from "Netflix's Gradient2Limit", keeps "limit and averages";
        /// `Aimd`: its parameters.
        aimd "aimd": AimdParameters, default "{}", from "Netflix's AIMDLimit", keeps "limit and averages";
        /// `Vegas`: its parameters.
        vegas "vegas": VegasParameters, default "{}", from "Netflix's VegasLimit", keeps "limit and averages";
    }
}

/// What moves an adaptive limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum AdaptiveAlgorithm {
    /// Latency now against its long average: the usual choice.
    #[default]
    Gradient,
    /// Up by one, down by a share on overload.
    Aimd,
    /// Latency now against the least seen.
    Vegas,
}

object! {
    /// What moves a limit by the gradient of latency.
    GradientParameters {
        optional
        /// How much the limit may grow in a window, 1 to 10,000; its square root where that is more.
        queue_size "queueSize": u32, default "4", from "Netflix's `queueSize`";
        optional
        /// The share of the new limit that is taken over in a window, above 0 and up to 1.
        smoothing "smoothing": f64, default "0.2", from "Netflix's `smoothing`";
        optional
        /// How many times the average latency is borne, 1 to 100.
        rtt_tolerance "rttTolerance": f64, default "1", from "Netflix's `rttTolerance`, as first published";
        optional
        /// How many windows the average looks back on, 10 or more.
        long_window "longWindow": u32, default "600", from "Netflix's `longWindow`";
    }
}

object! {
    /// What moves a limit by additive increase and multiplicative decrease.
    AimdParameters {
        optional
        /// What is left of the limit after overload, from 0.5 on and below 1.
        backoff_ratio "backoffRatio": f64, default "0.9", from "Netflix's `backoffRatio`";
        optional
        /// The average latency from which a window counts as overloaded.
        timeout "timeout": Period, default r#""5s""#, from "Netflix's `timeout`";
    }
}

object! {
    /// What moves a limit by the least latency.
    VegasParameters {
        optional
        /// The least latency is measured anew after so many windows for each of the limit.
        probe_multiplier "probeMultiplier": u32, default "30", from "Netflix's `probeMultiplier`";
        optional
        /// The share of the new limit that is taken over in a window, above 0 and up to 1.
        smoothing "smoothing": f64, default "1", from "Netflix's `smoothing`";
    }
}
