//! What the effective policy makes of the machines' configurations.

use std::time::Duration;

use guildhall_core::document::Timestamp;
use guildhall_core::policy::compile::{Limiter, TimeLimit, compile};
use guildhall_core::policy::{Compiled, Section, spec::DESCRIBED};
use guildhall_resilience::{
    Outcome,
    breaker::{Forced, Window},
    classify::ErrorClass,
};
use serde_json::{Value, json};

use super::{compiled, policies, users, whole_chain, written};

#[test]
fn what_no_policy_has_is_off() {
    assert_eq!(
        compiled(json!({})),
        guildhall_core::policy::Compiled::default()
    );
}

#[test]
fn enabled_false_is_off_and_no_defaults_hold() {
    let always = [
        (
            "rateLimit",
            json!({"rules": [{"name": "a", "requests": 1, "period": "1s"}]}),
        ),
        ("fallback", json!({"sources": [{"static": {}}]})),
    ];
    for section in Section::ALL {
        let name = section.name();
        let mut spec = always
            .iter()
            .find(|(other, _)| *other == name)
            .map_or(json!({}), |(_, spec)| spec.clone());
        let on = compiled(json!({name: spec}));
        assert_eq!(on.off, [], "{name}");
        if ["loadBalancer", "timeouts"].contains(&name) {
            continue;
        }
        spec["enabled"] = json!(false);
        let off = compiled(json!({name: spec}));
        assert_eq!(
            off,
            Compiled {
                off: vec![*section],
                ..Compiled::default()
            },
            "{name}"
        );
        // No policy at all is another thing: then the caller's defaults hold.
        assert_eq!(off.changed(&Compiled::default()), [*section], "{name}");
        assert_eq!(off.changed(&on), [*section], "{name}");
    }
}

/// Whether a default stands for itself, and is not told in words.
fn literal(default: &str) -> Option<Value> {
    (default != "none" && !default.starts_with('(')).then(|| serde_json::from_str(default).unwrap())
}

#[test]
fn the_defaults_told_are_those_that_hold() {
    for described in DESCRIBED {
        let Some(section) = described.section else {
            continue;
        };
        let mut spec = json!({});
        for field in described.fields {
            if let Some(value) = literal(field.default.unwrap()) {
                spec[field.name] = value;
            }
        }
        assert_eq!(
            compiled(json!({section: spec})),
            compiled(json!({section: {}})),
            "{spec}"
        );
    }
}

#[test]
fn the_defaults_of_objects_are_those_that_hold() {
    let rule = |algorithm: &str| json!({"name": "a", "requests": 5, "period": "1s", "algorithm": algorithm});
    let mut keyed = rule("TokenBucket");
    keyed["key"] = json!({"type": "SourceIP"});
    // Each object where it stands, with what it must have; `*` is where it goes.
    let places: [(&str, Value, Value); 17] = [
        (
            "SlowStart",
            json!({"window": "1m"}),
            json!({"loadBalancer": {"slowStart": "*"}}),
        ),
        (
            "RequestKey",
            json!({"type": "PathSegment"}),
            json!({"loadBalancer": {"consistentHash": "*"}}),
        ),
        (
            "BackOff",
            json!({"baseInterval": "1s"}),
            json!({"retry": {"backOff": "*"}}),
        ),
        (
            "RetryBudget",
            json!({"percent": 20}),
            json!({"retry": {"budget": "*"}}),
        ),
        (
            "SlidingWindow",
            json!({"type": "TimeBased"}),
            json!({"circuitBreaker": {"slidingWindow": "*"}}),
        ),
        (
            "SlidingWindow",
            json!({"type": "CountBased"}),
            json!({"circuitBreaker": {"slidingWindow": "*"}}),
        ),
        (
            "SuccessRate",
            json!({}),
            json!({"outlierDetection": {"successRate": "*"}}),
        ),
        (
            "FailurePercentage",
            json!({}),
            json!({"outlierDetection": {"failurePercentage": "*"}}),
        ),
        (
            "RateLimitRule",
            keyed,
            json!({"rateLimit": {"rules": ["*"]}}),
        ),
        (
            "RateLimitRule",
            rule("SlidingWindow"),
            json!({"rateLimit": {"rules": ["*"]}}),
        ),
        (
            "RateLimitRule",
            rule("WarmUp"),
            json!({"rateLimit": {"rules": ["*"]}}),
        ),
        (
            "GradientParameters",
            json!({}),
            json!({"adaptiveConcurrency": {"gradient": "*"}}),
        ),
        (
            "AimdParameters",
            json!({}),
            json!({"adaptiveConcurrency": {"algorithm": "Aimd", "aimd": "*"}}),
        ),
        (
            "VegasParameters",
            json!({}),
            json!({"adaptiveConcurrency": {"algorithm": "Vegas", "vegas": "*"}}),
        ),
        (
            "StaticAnswer",
            json!({}),
            json!({"fallback": {"sources": [{"static": "*"}]}}),
        ),
        (
            "HedgeDelay",
            json!({"percentile": 90}),
            json!({"hedging": {"delay": "*"}}),
        ),
        (
            "RetryBudget",
            json!({"percent": 5}),
            json!({"hedging": {"budget": "*"}}),
        ),
    ];
    for (name, least, place) in places {
        let described = DESCRIBED
            .iter()
            .find(|described| described.name == name)
            .unwrap();
        let put = |object: &Value| {
            serde_json::from_str(&place.to_string().replace("\"*\"", &object.to_string())).unwrap()
        };
        let without = compiled(put(&least));
        for field in described.fields {
            let mut with = least.clone();
            let Some(default) = field.default.and_then(literal) else {
                continue;
            };
            if with.get(field.name).is_some() {
                continue;
            }
            // What another algorithm looks at is refused beside this one.
            let for_others = match with["algorithm"].as_str() {
                Some("TokenBucket") => {
                    ["maxWait", "warmUpPeriod", "coldFactor"].contains(&field.name)
                }
                Some("SlidingWindow") => field.name != "algorithm",
                Some("WarmUp") => field.name == "maxKeys",
                _ => false,
            };
            if for_others {
                continue;
            }
            with[field.name] = default;
            assert_eq!(compiled(put(&with)), without, "{name}.{}", field.name);
        }
    }
}

#[test]
fn defaults_keep_to_what_is_given() {
    let breaker = |fields: Value| {
        compiled(json!({"circuitBreaker": fields}))
            .circuit_breaker
            .unwrap()
            .config
            .config
    };
    let small = breaker(json!({"slidingWindow": {"type": "CountBased", "calls": 5}}));
    assert_eq!(
        small.window(),
        Window::Count { calls: 5 },
        "and its volume is no more than that"
    );
    breaker(json!({"waitDurationInOpenState": "10m"}));
    breaker(json!({"maxWaitDurationInOpenState": "1s"}));
    breaker(json!({"permittedNumberOfCallsInHalfOpenState": 1}));
    let slow = breaker(json!({"slowCallRateThreshold": 10}));
    assert_eq!(
        slow,
        breaker(json!({})),
        "no call is slow without a duration"
    );

    let adaptive = |fields: Value| {
        compiled(json!({"adaptiveConcurrency": fields}))
            .adaptive_concurrency
            .unwrap()
            .config
    };
    let limits = |fields| {
        let config = adaptive(fields);
        (config.min(), config.initial(), config.max())
    };
    assert_eq!(limits(json!({"maxConcurrency": 5})), (5, 5, 5));
    assert_eq!(limits(json!({"minConcurrency": 500})), (500, 500, 500));

    let bulkhead = |fields: Value| {
        compiled(json!({"bulkhead": fields}))
            .bulkhead
            .unwrap()
            .config
    };
    let queue = |fields| {
        let config = bulkhead(fields);
        (
            config.max_concurrent(),
            config.max_queued(),
            config.max_wait().as_millis(),
        )
    };
    assert_eq!(queue(json!({})), (1024, 0, 0));
    assert_eq!(
        queue(json!({"maxConcurrentCalls": 5, "maxWaitDuration": "1s"})),
        (5, 5, 1000)
    );
    assert_eq!(queue(json!({"maxPendingRequests": 7})), (1024, 7, 100));
    assert_eq!(
        queue(json!({"maxPendingRequests": 0, "maxWaitDuration": "1s"})),
        (1024, 0, 0)
    );

    let outlier = compiled(json!({"outlierDetection": {"baseEjectionTime": "10m"}}))
        .outlier_detection
        .unwrap()
        .config;
    assert_eq!(outlier.max_ejection, Duration::from_secs(600));
}

#[test]
fn five_failures_of_expected_kinds_in_ten_seconds_then_a_minute_of_recovery() {
    let rule = compiled(json!({"circuitBreaker": {
        "slidingWindow": {"type": "TimeBased", "duration": "10s"},
        "failureRateThreshold": 0,
        "failureCountThreshold": 5,
        "waitDurationInOpenState": "60s",
        "recordErrors": ["connect", "attempt-timeout"],
        "recordStatuses": ["503-504"],
    }}))
    .circuit_breaker
    .unwrap()
    .config;
    let seed = guildhall_resilience::breaker::Config::builder()
        .failure_rate(None)
        .failure_count(Some(5))
        .open_for(Duration::from_secs(60), Duration::from_secs(60))
        .build()
        .unwrap();
    assert_eq!(rule.config, seed);
    assert_eq!(
        [500, 503, 504, 429].map(|status| rule.classify.status(status)),
        [
            Outcome::Success,
            Outcome::Failure,
            Outcome::Failure,
            Outcome::Ignored,
        ]
    );
    let errors = [
        ErrorClass::Connect,
        ErrorClass::AttemptTimeout,
        ErrorClass::Reset,
        ErrorClass::Cancelled,
    ];
    assert_eq!(
        errors.map(|class| rule.classify.error(class)),
        [
            Outcome::Failure,
            Outcome::Failure,
            Outcome::Ignored,
            Outcome::Ignored,
        ]
    );
}

#[test]
fn a_breaker_by_order_expires() {
    let force =
        json!({"state": "FORCED_OPEN", "until": "2026-01-01T00:00:10Z", "reason": "migration"});
    let rule = compiled(json!({"circuitBreaker": {"force": force}}))
        .circuit_breaker
        .unwrap()
        .config;
    let order = rule.forced.unwrap();
    assert_eq!(order.state, Forced::Open);
    let until = order.until.as_millis();
    assert_eq!(
        order.remaining(Timestamp(until - 4_000)),
        Some(Duration::from_secs(4))
    );
    assert_eq!(order.remaining(Timestamp(until)), None);
    assert_eq!(order.remaining(Timestamp(until + 1)), None);
}

#[test]
fn an_attempts_timeout_lengthens_the_breakers_round_of_probes() {
    let deadline = |timeout: &str| {
        let both = compiled(json!({"timeouts": {"backendRequest": timeout}, "circuitBreaker": {}}));
        both.circuit_breaker
            .unwrap()
            .config
            .config
            .half_open_deadline()
            .as_secs()
    };
    assert_eq!(
        [deadline("0s"), deadline("5s"), deadline("90s")],
        [30, 30, 90]
    );
}

#[test]
fn no_limit_is_another_thing_than_no_word() {
    let request = |timeouts: Value| {
        compiled(json!({"timeouts": timeouts}))
            .timeouts
            .unwrap()
            .config
            .request
    };
    let settings = Some(Duration::from_secs(15));
    assert_eq!(request(json!({})), TimeLimit::Unset);
    assert_eq!(request(json!({})).or(settings), settings);
    assert_eq!(request(json!({"request": "0s"})).or(settings), None);
    assert_eq!(
        request(json!({"request": "1s"})).or(settings),
        Some(Duration::from_secs(1))
    );
}

#[test]
fn refusals_name_the_most_specific_policy_that_has_the_section() {
    let all = policies(&[
        written(
            "broad",
            1,
            json!({"kind": "Namespace", "name": "default"}),
            json!({"bulkhead": {"maxConcurrentCalls": 5}, "retry": {}}),
        ),
        written("near", 7, users(), json!({"bulkhead": {}})),
    ]);
    let (compiled, _) = compile(&all.resolve(&whole_chain()).enforced);
    let bulkhead = compiled.bulkhead.unwrap();
    assert_eq!(
        (bulkhead.source.policy.as_str(), bulkhead.source.revision),
        ("near", 7)
    );
    assert_eq!(
        bulkhead.config.max_concurrent(),
        5,
        "though the field is another's"
    );
    assert_eq!(compiled.retry.unwrap().source.policy, "broad");
}

#[test]
fn a_contradiction_between_policies_leaves_the_most_specific_ones_fields() {
    let all = policies(&[
        written(
            "broad",
            1,
            json!({"kind": "Namespace", "name": "default"}),
            json!({
                "circuitBreaker": {"minimumNumberOfCalls": 100},
                "retry": {"attempts": 1},
            }),
        ),
        written(
            "near",
            2,
            users(),
            json!({"circuitBreaker": {"slidingWindow": {"type": "CountBased", "calls": 10}}}),
        ),
    ]);
    let (compiled, problems) = compile(&all.resolve(&whole_chain()).enforced);
    let told: Vec<&str> = problems
        .iter()
        .map(|problem| problem.pointer.as_str())
        .collect();
    assert_eq!(told, ["/circuitBreaker/minimumNumberOfCalls"]);
    let named: Vec<&str> = problems[0]
        .sources
        .iter()
        .map(|source| source.policy.as_str())
        .collect();
    assert_eq!(named, ["near", "broad"]);
    let breaker = compiled.circuit_breaker.unwrap();
    assert_eq!(breaker.config.config.window(), Window::Count { calls: 10 });
    assert_eq!(breaker.source.policy, "near");
    assert!(compiled.retry.is_some(), "other sections hold");
}

#[test]
fn limits_and_answers_are_what_was_written() {
    let all = compiled(json!({
        "rateLimit": {"rules": [
            {"name": "each", "requests": 10, "period": "1s", "burst": 20, "key": {"type": "Header", "name": "x-tenant"}, "maxKeys": 7},
            {"name": "paced", "requests": 5, "period": "1s", "algorithm": "LeakyQueue", "maxWait": "2s"},
        ]},
        "fallback": {"sources": [
            {"cached": {"maxAge": "1m"}},
            {"service": {"name": "users-replica"}},
            {"static": {"status": 503, "headers": {"content-type": "application/json"}, "body": "{}"}},
        ]},
    }));
    let limits = all.rate_limit.unwrap().config;
    assert_eq!(limits[0].key.as_ref().unwrap().capacity, 7);
    assert!(
        matches!(limits[0].limiter, Limiter::TokenBucket(quota) if (quota.limit(), quota.burst()) == (10, 20))
    );
    assert!(
        matches!(limits[1].limiter, Limiter::LeakyQueue { max_wait, .. } if max_wait == Duration::from_secs(2))
    );
    let fallback = all.fallback.unwrap().config;
    assert_eq!(fallback.plan.keeps(), Some(Duration::from_secs(60)));
    assert_eq!(fallback.service.unwrap().name.as_str(), "users-replica");
    let fixed = fallback.fixed.unwrap();
    assert_eq!(
        (
            fixed.status.as_u16(),
            &fixed.headers["content-type"],
            &fixed.body[..]
        ),
        (503, &"application/json".parse().unwrap(), &b"{}"[..])
    );
    assert_eq!(fallback.kept.unwrap().entries, 1000);
}
