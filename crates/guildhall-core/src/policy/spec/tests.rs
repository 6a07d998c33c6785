//! The spec alone: what is refused and with which remedy, and what a newer version may have written.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Mode, Policy};
use crate::document::{Pointer, Problems, decode, lenient};

fn problems(spec: Value) -> Vec<String> {
    let validated = decode::<Policy>(&spec.to_string(), "/spec").and_then(|policy| {
        let mut problems = Problems::default();
        policy.validate(&Pointer::root("spec"), &mut problems);
        problems.into_result(())
    });
    let problems = validated.err().unwrap_or_default();
    let line = |problem: &crate::document::FieldProblem| {
        format!("{}: {}", problem.pointer, problem.detail)
    };
    problems.0.iter().map(line).collect()
}

fn on_service(mut fields: Value) -> Value {
    fields["targetRefs"] = json!([{"kind": "Service", "name": "users"}]);
    fields
}

fn one(fields: Value) -> String {
    let all = problems(on_service(fields.clone()));
    assert_eq!(all.len(), 1, "{fields}: {all:?}");
    all[0].clone()
}

#[test]
fn an_empty_section_is_a_valid_one() {
    for section in super::Section::ALL {
        assert_eq!(
            problems(on_service(json!({section.name(): {}}))),
            [""; 0],
            "{section:?}"
        );
    }
}

#[test]
fn unknown_fields_and_words_name_the_nearest() {
    assert_eq!(
        one(json!({"retry": {"atempts": 3}})),
        r#"/spec/retry/atempts: unknown field "atempts"; did you mean "attempts"?"#
    );
    assert_eq!(
        one(json!({"retry": {"retryOn": ["connnect"]}})),
        r#"/spec/retry/retryOn/0: unknown value "connnect"; did you mean "connect"?"#
    );
    assert_eq!(
        one(json!({"ratelimit": {}})),
        r#"/spec/ratelimit: unknown field "ratelimit"; did you mean "rateLimit"?"#
    );
}

#[test]
fn targets_are_checked() {
    let refused = |targets: Value| problems(json!({"targetRefs": targets, "retry": {}}));
    assert_eq!(refused(json!([])).len(), 1);
    assert_eq!(
        refused(
            json!([{"kind": "Service", "name": "a"}, {"kind": "Service", "group": "", "name": "a"}])
        ),
        ["/spec/targetRefs/1: this target is named twice"]
    );
    assert_eq!(
        refused(json!([{"kind": "HTTPRoute", "group": "apps", "name": "a"}])),
        ["/spec/targetRefs/0/group: gateway.networking.k8s.io, or leave it out"]
    );
    assert_eq!(
        refused(json!([{"kind": "Service", "name": "a", "sectionName": "web"}])),
        ["/spec/targetRefs/0/sectionName: a Service or Namespace has no sections; leave it out"]
    );
    assert!(refused(json!([{"kind": "Pod", "name": "a"}]))[0].contains("unknown value \"Pod\""));
    assert!(
        refused(json!([{"kind": "HTTPRoute", "name": "Not A Name"}]))[0]
            .starts_with("/spec/targetRefs/0/name")
    );
}

#[test]
fn state_that_belongs_to_a_service_attaches_to_services_and_namespaces_only() {
    let sections = [
        "loadBalancer",
        "circuitBreaker",
        "outlierDetection",
        "bulkhead",
        "adaptiveConcurrency",
    ];
    for section in super::Section::ALL {
        let for_services = sections.contains(&section.name());
        for (kind, is_service) in [
            ("Gateway", false),
            ("GRPCRoute", false),
            ("HTTPRoute", false),
            ("Service", true),
            ("Namespace", true),
        ] {
            let targets = json!([{"kind": "Service", "name": "a"}, {"kind": kind, "name": "b"}]);
            let refused = problems(json!({"targetRefs": targets, section.name(): {}}));
            assert_eq!(
                !refused.is_empty(),
                for_services && !is_service,
                "{section:?} on {kind}: {refused:?}"
            );
        }
    }
    let refused =
        problems(json!({"targetRefs": [{"kind": "HTTPRoute", "name": "r"}], "bulkhead": {}}));
    assert_eq!(
        refused,
        [
            "/spec/bulkhead: applies to targets of kind Service or Namespace only, as its state belongs to the service; \
          HTTPRoute \"r\" is none: put it into a policy of its own that targets the service"
        ]
    );
}

/// One line for each limit: what is out of it, where that is told, and the remedy.
#[test]
fn what_is_out_of_limits_is_told_in_the_documents_words() {
    let cases = [
        json!({"timeouts": {"request": "25h"}}),
        json!({"retry": {"attempts": 100}}),
        json!({"retry": {"attempts": 4_294_967_295_u32}}),
        json!({"retry": {"backOff": {"baseInterval": "2s", "maxInterval": "1s"}}}),
        json!({"retry": {"backOff": {"baseInterval": "25h"}}}),
        json!({"retry": {"budget": {"percent": 1001}}}),
        json!({"retry": {"budget": {"percent": 20, "minRetriesPerSecond": 10001}}}),
        json!({"hedging": {"attempts": 5}}),
        json!({"hedging": {"delay": {}}}),
        json!({"hedging": {"delay": {"fixed": "1s", "percentile": 95}}}),
        json!({"hedging": {"delay": {"percentile": 100}}}),
        json!({"circuitBreaker": {"failureRateThreshold": 101}}),
        json!({"circuitBreaker": {"failureRateThreshold": -1}}),
        json!({"circuitBreaker": {"slidingWindow": {"type": "TimeBased", "duration": "0s"}}}),
        json!({"circuitBreaker": {"slidingWindow": {"type": "TimeBased", "buckets": 0}}}),
        json!({"circuitBreaker": {"slidingWindow": {"type": "CountBased", "calls": 65537}}}),
        json!({"circuitBreaker": {"slidingWindow": {"type": "CountBased", "calls": 10}, "minimumNumberOfCalls": 11}}),
        json!({"circuitBreaker": {"minimumNumberOfCalls": 0}}),
        json!({"circuitBreaker": {"slowCallDurationThreshold": "0s"}}),
        json!({"circuitBreaker": {"waitDurationInOpenState": "2s", "maxWaitDurationInOpenState": "1s"}}),
        json!({"circuitBreaker": {"waitDurationInOpenState": "25h"}}),
        json!({"circuitBreaker": {"openStateJitter": 100}}),
        json!({"circuitBreaker": {"permittedNumberOfCallsInHalfOpenState": 0}}),
        json!({"circuitBreaker": {"permittedNumberOfCallsInHalfOpenState": 2, "failuresToReopen": 3}}),
        json!({"circuitBreaker": {"recordStatuses": [503, 429]}}),
        json!({"circuitBreaker": {"recordStatuses": [600]}}),
        json!({"circuitBreaker": {"force": {"state": "FORCED_OPEN", "until": "2026-01-01T00:00:00Z", "reason": "x".repeat(1025)}}}),
        json!({"outlierDetection": {"maxEjectionPercent": 0}}),
        json!({"outlierDetection": {"baseEjectionTime": "0s"}}),
        json!({"outlierDetection": {"baseEjectionTime": "2s", "maxEjectionTime": "1s"}}),
        json!({"outlierDetection": {"interval": "2h"}}),
        json!({"outlierDetection": {"successRate": {"stdevFactor": 0}}}),
        json!({"outlierDetection": {"failurePercentage": {"threshold": 101}}}),
        json!({"rateLimit": {"rules": [{"name": "a", "requests": 0, "period": "1s"}]}}),
        json!({"rateLimit": {"rules": [{"name": "a", "requests": 1, "period": "0s"}]}}),
        json!({"rateLimit": {"rules": [{"name": "a", "requests": 1, "period": "1s", "burst": 0}]}}),
        json!({"rateLimit": {"rules": [{"name": "", "requests": 1, "period": "1s"}]}}),
        json!({"rateLimit": {"rules": [{"name": "a", "requests": 1, "period": "1s"}, {"name": "a", "requests": 2, "period": "1s"}]}}),
        json!({"rateLimit": {"rules": [{"name": "a", "requests": 1, "period": "1s", "algorithm": "SlidingWindow", "key": {"type": "SourceIP"}}]}}),
        json!({"rateLimit": {"rules": [{"name": "a", "requests": 1, "period": "1s", "algorithm": "SlidingWindow", "scope": "Exact"}]}}),
        json!({"rateLimit": {"rules": [{"name": "a", "requests": 1, "period": "1s", "algorithm": "SlidingWindow", "scope": "Shared"}]}}),
        json!({"rateLimit": {"rules": [{"name": "a", "requests": 1, "period": "1s", "key": {"type": "SourceIP"}, "scope": "Shared"}]}}),
        json!({"rateLimit": {"rules": [{"name": "a", "requests": 1, "period": "1s", "maxWait": "1s"}]}}),
        json!({"rateLimit": {"rules": [{"name": "a", "requests": 1, "period": "1s", "maxKeys": 5}]}}),
        json!({"rateLimit": {"rules": [{"name": "a", "requests": 1, "period": "1s", "key": {"type": "Header"}}]}}),
        json!({"rateLimit": {"rules": [{"name": "a", "requests": 1, "period": "1s", "key": {"type": "SourceIP", "index": 1}}]}}),
        json!({"rateLimit": {"rules": [{"name": "a", "requests": 1, "period": "1s", "algorithm": "WarmUp", "coldFactor": 1}]}}),
        json!({"bulkhead": {"maxConcurrentCalls": 0}}),
        json!({"bulkhead": {"maxPendingRequests": 1_000_001}}),
        json!({"bulkhead": {"maxWaitDuration": "2h"}}),
        json!({"adaptiveConcurrency": {"minConcurrency": 0}}),
        json!({"adaptiveConcurrency": {"minConcurrency": 5, "maxConcurrency": 4}}),
        json!({"adaptiveConcurrency": {"initialConcurrency": 500}}),
        json!({"adaptiveConcurrency": {"sampleWindow": "0s"}}),
        json!({"adaptiveConcurrency": {"minSamples": 0}}),
        json!({"adaptiveConcurrency": {"overloadPercent": 0}}),
        json!({"adaptiveConcurrency": {"gradient": {"smoothing": 2}}}),
        json!({"adaptiveConcurrency": {"algorithm": "Aimd", "aimd": {"backoffRatio": 1}}}),
        json!({"adaptiveConcurrency": {"algorithm": "Vegas", "vegas": {"smoothing": 0}}}),
        json!({"fallback": {"sources": [{}]}}),
        json!({"fallback": {"sources": [{"static": {}}, {"cached": {"maxAge": "1m"}}]}}),
        json!({"fallback": {"sources": [{"static": {"status": 100}}]}}),
        json!({"fallback": {"sources": [{"static": {"headers": {"a b": "c"}}}]}}),
        json!({"fallback": {"maxEntries": 0}}),
        json!({"loadBalancer": {"tableSize": 1000}}),
        json!({"loadBalancer": {"ringPoints": 0}}),
        json!({"loadBalancer": {"hashBalanceFactor": 50}}),
        json!({"loadBalancer": {"consistentHash": {"type": "Cookie"}}}),
        json!({"loadBalancer": {"slowStart": {"window": "30s", "aggression": 0}}}),
        json!({"loadBalancer": {"overprovisioningFactor": 99}}),
        json!({"loadBalancer": {"healthyPanicThreshold": 101}}),
    ];
    let told: Vec<String> = cases.into_iter().map(one).collect();
    insta::assert_snapshot!(told.join("\n"));
}

#[derive(Deserialize)]
struct Stored {
    spec: Policy,
}

#[test]
fn words_of_a_newer_version_are_read_as_the_kind_says() {
    let written = json!({"spec": {
        "targetRefs": [{"kind": "Mesh", "name": "m"}, {"kind": "Service", "name": "a", "weight": 1}],
        "mode": "Canary",
        "later": {},
        "loadBalancer": {"type": "Subset", "ringPoints": 10},
        "retry": {"retryOn": ["connect", "quota"], "attempts": 1},
        "circuitBreaker": {
            "slidingWindow": {"type": "Both"}, "recordErrors": ["dns", "reset"], "ignoreErrors": ["dns"],
            "force": {"state": "HALF", "until": "2026-01-01T00:00:00Z"},
        },
        "rateLimit": {"rules": [
            {"name": "a", "requests": 1, "period": "1s", "algorithm": "Fair"},
            {"name": "b", "requests": 1, "period": "1s", "key": {"type": "Tenant"}},
        ]},
        "adaptiveConcurrency": {"algorithm": "Cubic", "minConcurrency": 2},
        "fallback": {"causes": ["failed", "slow"]},
    }});
    let text = written.to_string();
    let read = lenient::read_with::<Stored>(text.as_bytes(), Policy::UNKNOWN_WORDS).unwrap();
    assert_eq!(
        read.spec.mode,
        Mode::Off,
        "what it would do is not known here"
    );
    assert_eq!(
        serde_json::to_value(&read.spec).unwrap(),
        json!({
            "targetRefs": [{"kind": "Service", "name": "a"}],
            "mode": "Off",
            "loadBalancer": {"ringPoints": 10},
            "retry": {"retryOn": ["connect"], "attempts": 1},
            "circuitBreaker": {"recordErrors": ["reset"], "ignoreErrors": []},
            "rateLimit": {"rules": [{"name": "a", "requests": 1, "period": "1s", "algorithm": "TokenBucket"}]},
            "adaptiveConcurrency": {"minConcurrency": 2},
            "fallback": {"causes": ["failed"]},
        })
    );
}
