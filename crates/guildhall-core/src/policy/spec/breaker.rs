//! Whether a service, or one of its endpoints, is asked at all while it fails.

use serde::{Deserialize, Serialize};

use crate::{
    document::{Period, Timestamp},
    policy::described::{object, section},
    registry::StatusRange,
};

section! {
    /// Stops calling a service that fails, and finds out when it is back. It judges a service (and subset) as a whole,
    /// for targets of kind Service or Namespace only; single endpoints are `outlierDetection`'s.
    CircuitBreaker at "circuitBreaker" {
        /// Whether there is a breaker at all.
        enabled "enabled": bool, default "true", from "Guildhall",
            keeps "state and window, for the ten minutes for which state outlives its rule";
        /// Which calls are judged.
        sliding_window "slidingWindow": SlidingWindow, default r#"{"type": "TimeBased", "duration": "10s"}"#,
            from "Hystrix's 10 s; resilience4j's `slidingWindowType` and `slidingWindowSize`",
            keeps "state, and the window as far as the new one reaches; another `type` begins with an empty one";
        /// The share of failed calls from which it opens, in percent, up to 100; 0 switches the rule off.
        failure_rate_threshold "failureRateThreshold": f64, default "50", from "resilience4j, Hystrix",
            keeps "state and window; the next call is judged by it";
        /// How many calls must be in the window before a rate counts.
        minimum_number_of_calls "minimumNumberOfCalls": u32, default "(20, or the window's calls if it has fewer)",
            from "resilience4j's name, Hystrix's 20", keeps "state and window; the next call is judged by it";
        /// How many failures in the window open it, at whatever volume; 0 switches the rule off.
        failure_count_threshold "failureCountThreshold": u32, default "0", from "Guildhall",
            keeps "state and window; the next call is judged by it";
        /// How many failures without a success between them open it; 0 switches the rule off.
        consecutive_failures "consecutiveFailures": u32, default "0", from "gobreaker",
            keeps "state and window; the next call is judged by it";
        /// From which duration on a call is slow. Without it none is.
        slow_call_duration_threshold "slowCallDurationThreshold": Period, default "none", from "resilience4j",
            keeps "state and window; the next call is judged by it";
        /// The share of slow calls from which it opens, in percent, up to 100; 0 switches the rule off.
        slow_call_rate_threshold "slowCallRateThreshold": f64, default "100", from "resilience4j",
            keeps "state and window; the next call is judged by it";
        /// How long it stays open at first; doubled with every round of probes that fails.
        wait_duration_in_open_state "waitDurationInOpenState": Period, default "(5s, or the longest if that is shorter)",
            from "resilience4j's name, Hystrix's and Polly's 5 s", keeps "state and window; an open time under way ends as it began";
        /// The longest it stays open, up to a day.
        max_wait_duration_in_open_state "maxWaitDurationInOpenState": Period, default "(60s, or the first if that is longer)",
            from "resilience4j's 60 s", keeps "state and window; an open time under way ends as it began";
        /// By how much the open time is lengthened or shortened at random, in percent, 0 to 99, so that a fleet does not
        /// come back in one instant.
        open_state_jitter "openStateJitter": f64, default "20", from "Guildhall",
            keeps "state and window; an open time under way ends as it began";
        /// How many probes a half-open breaker admits, 1 to 255.
        permitted_calls_in_half_open_state "permittedNumberOfCallsInHalfOpenState": u8, default "3",
            from "resilience4j's name; its 10 hurt a service that is still down", keeps "state and window; another round of probes begins";
        /// How many failures among the probes open it again.
        failures_to_reopen "failuresToReopen": u8, default "(2, or the number of probes if that is less)", from "Guildhall",
            keeps "state and window; the next probe is judged by it";
        /// Statuses that are failures. 429 never is one.
        record_statuses "recordStatuses": Vec<StatusRange>, default r#"["500-500", "502-504", "506-599"]"#,
            from "resilience4j's `recordExceptions`", keeps "state and window; the next answer is judged by it";
        /// Statuses that are successes, though 5xx.
        success_statuses "successStatuses": Vec<StatusRange>, default "[]", from "Guildhall",
            keeps "state and window; the next answer is judged by it";
        /// Statuses that say nothing; of the three lists this one has the last word, its default the first.
        ignore_statuses "ignoreStatuses": Vec<StatusRange>, default "[408, 425, 429, 499]", from "resilience4j's `ignoreExceptions`",
            keeps "state and window; the next answer is judged by it";
        /// Ends without an answer that are failures.
        record_errors "recordErrors": Vec<CallError>, default r#"["connect", "reset", "protocol", "attempt-timeout", "other"]"#,
            from "resilience4j's `recordExceptions`", keeps "state and window; the next call is judged by it";
        /// Ends without an answer that say nothing, though they be in `recordErrors`; what is in neither says nothing either.
        ignore_errors "ignoreErrors": Vec<CallError>, default "[]", from "resilience4j's `ignoreExceptions`",
            keeps "state and window; the next call is judged by it";
        /// A state by order, for a while.
        force "force": Force, default "none", from "resilience4j's `transitionToForcedOpenState`",
            keeps "the statistics; a state by order begins and ends with an empty window";
        /// A fresh start by order: the time of the order, in wall time (RFC 3339). A breaker that has not obeyed one of this
        /// time or a later one is closed, with an empty window, once; one that is made afterwards has nothing to obey.
        reset "reset": Timestamp, default "none", from "resilience4j's `reset`",
            keeps "the statistics; a later time begins with an empty window, closed";
    }
}

object! {
    /// Which calls a closed breaker judges by.
    SlidingWindow {
        /// By time or by number.
        window_type "type": WindowType, from "resilience4j's `slidingWindowType`";
        optional
        /// `TimeBased`: the calls of how long; each bucket has 1ms to 1h of it.
        duration "duration": Period, default r#""10s""#, from "Hystrix";
        optional
        /// `TimeBased`: in how many parts it is counted, 1 to 60. The oldest part is forgotten as a whole.
        buckets "buckets": u8, default "10", from "Hystrix's `rollingStats.numBuckets`";
        optional
        /// `CountBased`: how many calls, 1 to 65,536.
        calls "calls": u32, default "100", from "resilience4j's `slidingWindowSize`";
    }
}

/// What bounds a breaker's window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum WindowType {
    /// The calls of a time: what a service with traffic wants.
    TimeBased,
    /// So many calls, however old: what a batch job wants.
    CountBased,
}

/// How a call ended that got no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CallError {
    /// No connection could be made.
    Connect,
    /// The connection was lost.
    Reset,
    /// The answer could not be understood.
    Protocol,
    /// `timeouts.backendRequest` was over.
    AttemptTimeout,
    /// A deadline that came with the request was over.
    DeadlineExceeded,
    /// Anything else.
    Other,
}

object! {
    /// A breaker's state by order. It expires, so that nothing stays forced because somebody forgot.
    Force {
        /// The state.
        state "state": ForcedState, from "resilience4j's states";
        /// Until when, in wall time (RFC 3339).
        until "until": Timestamp, from "Guildhall";
        optional
        /// Why, for people; at most 1,024 bytes.
        reason "reason": String, default "none", from "Guildhall";
    }
}

/// The states that can be ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ForcedState {
    /// No call passes.
    ForcedOpen,
    /// All pass, and nothing is counted.
    Disabled,
    /// All pass, and are counted.
    MetricsOnly,
}

section! {
    /// Takes endpoints that fail out of the balancer, each for a while. For targets of kind Service or Namespace only.
    OutlierDetection at "outlierDetection" {
        /// Whether endpoints are ejected at all.
        enabled "enabled": bool, default "true", from "Guildhall",
            keeps "counts and ejections, for the ten minutes for which state outlives its rule";
        /// Failures of any kind without a success between them; 0 switches the rule off.
        consecutive_failures "consecutiveFailures": u32, default "5", from "Envoy's `consecutive_5xx`",
            keeps "counts and ejections; the next answer is judged by it";
        /// 502, 503, 504 or no answer, without any other answer between them; 0 switches the rule off.
        consecutive_gateway_failures "consecutiveGatewayFailures": u32, default "0", from "Envoy's `consecutive_gateway_failure`",
            keeps "counts and ejections; the next answer is judged by it";
        /// How often rates are compared, up to an hour.
        interval "interval": Period, default r#""10s""#, from "Envoy", keeps "counts and ejections";
        /// The first ejection's time; the n-th in a row lasts n times as long.
        base_ejection_time "baseEjectionTime": Period, default r#""30s""#, from "Envoy",
            keeps "counts; ejections under way end as they began";
        /// The longest ejection's time.
        max_ejection_time "maxEjectionTime": Period, default "(300s, or baseEjectionTime if that is longer)", from "Envoy",
            keeps "counts; ejections under way end as they began";
        /// The share of endpoints that may be out at once, in percent, above 0 and up to 100. One of two always may, the last
        /// one never.
        max_ejection_percent "maxEjectionPercent": f64, default "10", from "Envoy",
            keeps "counts; ejections under way end as they began";
        /// Success rates far below the peers' eject.
        success_rate "successRate": SuccessRate, default r#"{"enabled": true}"#, from "Envoy's `success_rate_*`",
            keeps "counts and ejections";
        /// A share of failures ejects, whatever the peers do.
        failure_percentage "failurePercentage": FailurePercentage, default r#"{"enabled": false}"#, from "Envoy's `failure_percentage_*`",
            keeps "counts and ejections";
    }
}

object! {
    /// Ejects endpoints whose success rate is far below that of their peers.
    SuccessRate {
        optional
        /// Whether the rule holds.
        enabled "enabled": bool, default "true", from "Envoy's `enforcing_success_rate`";
        optional
        /// How many endpoints must have the volume.
        minimum_hosts "minimumHosts": u32, default "5", from "Envoy's `success_rate_minimum_hosts`";
        optional
        /// How many requests an endpoint must have had in the interval.
        request_volume "requestVolume": u32, default "100", from "Envoy's `success_rate_request_volume`";
        optional
        /// How many thousandths of a standard deviation below the mean are too far.
        stdev_factor "stdevFactor": u32, default "1900", from "Envoy's `success_rate_stdev_factor`";
    }
}

object! {
    /// Ejects endpoints of whose requests too many failed.
    FailurePercentage {
        optional
        /// Whether the rule holds.
        enabled "enabled": bool, default "true", from "Envoy's `enforcing_failure_percentage`";
        optional
        /// How many endpoints must have the volume.
        minimum_hosts "minimumHosts": u32, default "5", from "Envoy's `failure_percentage_minimum_hosts`";
        optional
        /// How many requests an endpoint must have had in the interval.
        request_volume "requestVolume": u32, default "50", from "Envoy's `failure_percentage_request_volume`";
        optional
        /// The share of failures, in percent, above 0 and up to 100.
        threshold "threshold": f64, default "85", from "Envoy's `failure_percentage_threshold`";
    }
}
