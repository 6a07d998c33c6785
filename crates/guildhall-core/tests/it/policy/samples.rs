//! Two values for every field of every section, which tests of merge and edits go through.

use guildhall_core::policy::spec::DESCRIBED;
use serde_json::{Value, json};

/// `(section, field, one value, another)`.
pub(super) type Sample = (&'static str, &'static str, Value, Value);

pub(super) fn samples() -> Vec<Sample> {
    let limit = |requests: u32| json!([{"name": "all", "requests": requests, "period": "1s"}]);
    let fixed = |body: &str| json!([{"cached": {"maxAge": "1m"}}, {"static": {"body": body}}]);
    let order = |state: &str| json!({"state": state, "until": "2026-01-01T00:00:00Z"});
    let calls = |calls: u32| json!({"type": "CountBased", "calls": calls});
    vec![
        ("loadBalancer", "type", json!("RingHash"), json!("Maglev")),
        (
            "loadBalancer",
            "consistentHash",
            json!({"type": "Caller"}),
            json!({"type": "Cookie", "name": "c"}),
        ),
        ("loadBalancer", "ringPoints", json!(100), json!(200)),
        ("loadBalancer", "hashBalanceFactor", json!(125), json!(150)),
        ("loadBalancer", "tableSize", json!(5003), json!(655_373)),
        ("loadBalancer", "ewmaDecay", json!("5s"), json!("20s")),
        (
            "loadBalancer",
            "ewmaDefaultRtt",
            json!("5ms"),
            json!("20ms"),
        ),
        (
            "loadBalancer",
            "slowStart",
            json!({"window": "30s"}),
            json!({"window": "60s"}),
        ),
        ("loadBalancer", "preferLocalZone", json!(true), json!(false)),
        (
            "loadBalancer",
            "overprovisioningFactor",
            json!(100),
            json!(200),
        ),
        ("loadBalancer", "healthyPanicThreshold", json!(0), json!(30)),
        ("timeouts", "request", json!("1s"), json!("2s")),
        ("timeouts", "backendRequest", json!("40s"), json!("50s")),
        ("timeouts", "deadlineMargin", json!("5ms"), json!("6ms")),
        ("retry", "enabled", json!(true), json!(false)),
        ("retry", "attempts", json!(1), json!(3)),
        (
            "retry",
            "retryOn",
            json!(["connect"]),
            json!(["server-error"]),
        ),
        (
            "retry",
            "backOff",
            json!({"baseInterval": "10ms"}),
            json!({"baseInterval": "20ms"}),
        ),
        ("retry", "maxRetryAfter", json!("1s"), json!("2s")),
        (
            "retry",
            "budget",
            json!({"percent": 10}),
            json!({"percent": 30}),
        ),
        ("circuitBreaker", "enabled", json!(true), json!(false)),
        ("circuitBreaker", "slidingWindow", calls(50), calls(60)),
        (
            "circuitBreaker",
            "failureRateThreshold",
            json!(20),
            json!(30),
        ),
        ("circuitBreaker", "minimumNumberOfCalls", json!(5), json!(6)),
        (
            "circuitBreaker",
            "failureCountThreshold",
            json!(5),
            json!(6),
        ),
        ("circuitBreaker", "consecutiveFailures", json!(5), json!(6)),
        (
            "circuitBreaker",
            "slowCallDurationThreshold",
            json!("1s"),
            json!("2s"),
        ),
        (
            "circuitBreaker",
            "slowCallRateThreshold",
            json!(40),
            json!(60),
        ),
        (
            "circuitBreaker",
            "waitDurationInOpenState",
            json!("1s"),
            json!("2s"),
        ),
        (
            "circuitBreaker",
            "maxWaitDurationInOpenState",
            json!("10s"),
            json!("20s"),
        ),
        ("circuitBreaker", "openStateJitter", json!(0), json!(10)),
        (
            "circuitBreaker",
            "permittedNumberOfCallsInHalfOpenState",
            json!(4),
            json!(5),
        ),
        ("circuitBreaker", "failuresToReopen", json!(1), json!(3)),
        (
            "circuitBreaker",
            "recordStatuses",
            json!([503]),
            json!(["500-599"]),
        ),
        (
            "circuitBreaker",
            "successStatuses",
            json!([500]),
            json!([503]),
        ),
        (
            "circuitBreaker",
            "ignoreStatuses",
            json!([408]),
            json!([504]),
        ),
        (
            "circuitBreaker",
            "recordErrors",
            json!(["connect"]),
            json!(["reset"]),
        ),
        (
            "circuitBreaker",
            "ignoreErrors",
            json!(["other"]),
            json!(["reset"]),
        ),
        (
            "circuitBreaker",
            "force",
            order("FORCED_OPEN"),
            order("METRICS_ONLY"),
        ),
        (
            "circuitBreaker",
            "reset",
            json!("2026-01-01T00:00:00Z"),
            json!("2026-01-02T00:00:00Z"),
        ),
        ("outlierDetection", "enabled", json!(true), json!(false)),
        (
            "outlierDetection",
            "consecutiveFailures",
            json!(3),
            json!(0),
        ),
        (
            "outlierDetection",
            "consecutiveGatewayFailures",
            json!(3),
            json!(4),
        ),
        ("outlierDetection", "interval", json!("5s"), json!("6s")),
        (
            "outlierDetection",
            "baseEjectionTime",
            json!("5s"),
            json!("6s"),
        ),
        (
            "outlierDetection",
            "maxEjectionTime",
            json!("50s"),
            json!("60s"),
        ),
        (
            "outlierDetection",
            "maxEjectionPercent",
            json!(20),
            json!(30),
        ),
        (
            "outlierDetection",
            "successRate",
            json!({"minimumHosts": 3}),
            json!({"enabled": false}),
        ),
        (
            "outlierDetection",
            "failurePercentage",
            json!({"threshold": 40}),
            json!({"threshold": 60}),
        ),
        ("rateLimit", "enabled", json!(true), json!(false)),
        ("rateLimit", "rules", limit(10), limit(20)),
        ("bulkhead", "enabled", json!(true), json!(false)),
        ("bulkhead", "maxConcurrentCalls", json!(10), json!(20)),
        ("bulkhead", "maxPendingRequests", json!(10), json!(20)),
        ("bulkhead", "maxWaitDuration", json!("50ms"), json!("60ms")),
        ("adaptiveConcurrency", "enabled", json!(true), json!(false)),
        (
            "adaptiveConcurrency",
            "algorithm",
            json!("Aimd"),
            json!("Vegas"),
        ),
        ("adaptiveConcurrency", "minConcurrency", json!(5), json!(6)),
        (
            "adaptiveConcurrency",
            "initialConcurrency",
            json!(30),
            json!(40),
        ),
        (
            "adaptiveConcurrency",
            "maxConcurrency",
            json!(100),
            json!(150),
        ),
        (
            "adaptiveConcurrency",
            "sampleWindow",
            json!("200ms"),
            json!("300ms"),
        ),
        ("adaptiveConcurrency", "minSamples", json!(5), json!(6)),
        (
            "adaptiveConcurrency",
            "overloadPercent",
            json!(20),
            json!(30),
        ),
        (
            "adaptiveConcurrency",
            "gradient",
            json!({"queueSize": 5}),
            json!({"queueSize": 6}),
        ),
        (
            "adaptiveConcurrency",
            "aimd",
            json!({"timeout": "1s"}),
            json!({"timeout": "2s"}),
        ),
        (
            "adaptiveConcurrency",
            "vegas",
            json!({"probeMultiplier": 5}),
            json!({"probeMultiplier": 6}),
        ),
        ("fallback", "enabled", json!(true), json!(false)),
        ("fallback", "sources", fixed("a"), fixed("b")),
        (
            "fallback",
            "causes",
            json!(["failed"]),
            json!(["throttled"]),
        ),
        ("fallback", "maxEntries", json!(10), json!(20)),
        ("fallback", "maxBytes", json!(10), json!(20)),
        ("hedging", "enabled", json!(true), json!(false)),
        ("hedging", "attempts", json!(2), json!(3)),
        (
            "hedging",
            "delay",
            json!({"fixed": "10ms"}),
            json!({"percentile": 99}),
        ),
        (
            "hedging",
            "budget",
            json!({"percent": 10}),
            json!({"percent": 30}),
        ),
    ]
}

#[test]
fn there_is_a_sample_of_every_field() {
    let declared = DESCRIBED
        .iter()
        .filter_map(|described| Some((described.section?, described.fields)));
    let declared: Vec<_> = declared
        .flat_map(|(section, fields)| fields.iter().map(move |field| (section, field.name)))
        .collect();
    let sampled: Vec<_> = samples()
        .iter()
        .map(|sample| (sample.0, sample.1))
        .collect();
    assert_eq!(sampled, declared);
}
