//! What an edit of each field keeps: the table in `policy::compile`, against the machines themselves.

use std::time::{Duration, Instant};

use guildhall_core::policy::{Compiled, Section, compile::Limiter};
use guildhall_resilience::{
    Outcome,
    adaptive::Adaptive,
    balance::{Balancer, Candidate},
    breaker::{Breaker, State, Window},
    bulkhead::{Bulkhead, Entry},
    hedge::{Hedge, HedgeDecision, Hedgeable},
    limiter::{Gcra, Keyed, SlidingWindow},
    outlier::{Observed, Outlier},
    retry::{Body, Budget, Idempotency},
};
use serde_json::{Value, json};

use super::compiled;
use super::samples::samples;

/// What a field needs beside it to have an effect.
fn context(section: &str, field: &str) -> Value {
    match (section, field) {
        ("loadBalancer", "ringPoints" | "hashBalanceFactor") => json!({"type": "RingHash"}),
        ("loadBalancer", "tableSize") => json!({"type": "Maglev"}),
        ("loadBalancer", "overprovisioningFactor") => json!({"preferLocalZone": true}),
        ("circuitBreaker", "slowCallRateThreshold") => json!({"slowCallDurationThreshold": "1s"}),
        // Orders alone judge nothing.
        ("circuitBreaker", "force" | "reset") => json!({"failureRateThreshold": 50}),
        ("rateLimit", "enabled") => {
            json!({"rules": [{"name": "all", "requests": 1, "period": "1s"}]})
        }
        ("adaptiveConcurrency", "aimd") => json!({"algorithm": "Aimd"}),
        ("adaptiveConcurrency", "vegas") => json!({"algorithm": "Vegas"}),
        ("fallback", "enabled" | "causes" | "maxEntries" | "maxBytes") => {
            json!({"sources": [{"cached": {"maxAge": "1m"}}]})
        }
        _ => json!({}),
    }
}

/// Before and after an edit of each field of `section` (of all sections if empty), all sections present.
fn edits(section: &str) -> Vec<(&'static str, &'static str, Compiled, Compiled)> {
    let of_section = |sample: &&super::samples::Sample| section.is_empty() || sample.0 == section;
    let with = |section: &str, field: &str, value: &Value| {
        let mut spec = json!({});
        for other in Section::ALL {
            spec[other.name()] = json!({});
        }
        spec[section] = context(section, field);
        spec[section][field] = value.clone();
        compiled(spec)
    };
    samples()
        .iter()
        .filter(of_section)
        .map(|(section, field, a, b)| {
            (
                *section,
                *field,
                with(section, field, a),
                with(section, field, b),
            )
        })
        .collect()
}

#[test]
fn an_edit_of_a_field_changes_its_own_section_and_no_other() {
    for (section, field, before, after) in edits("") {
        let changed: Vec<&str> = before
            .changed(&after)
            .iter()
            .map(|section| section.name())
            .collect();
        // A breaker's round of probes is given as long as an attempt may take.
        let expected = match field {
            "backendRequest" => vec!["timeouts", "circuitBreaker"],
            _ => vec![section],
        };
        assert_eq!(changed, expected, "{section}.{field}");
        assert_eq!(before.changed(&before), [], "{section}.{field}");
    }
}

#[test]
fn the_table_speaks_of_every_section() {
    let source = include_str!("../../../src/policy/compile/mod.rs");
    let rows: Vec<&str> = source
        .lines()
        .filter_map(|line| line.strip_prefix("//! | `"))
        .collect();
    for section in Section::ALL {
        let name = format!("{}`", section.name());
        assert!(rows.iter().any(|row| row.contains(&name)), "{name}");
    }
}

#[test]
fn an_edit_of_a_breaker_keeps_state_and_window() {
    let now = Instant::now();
    let timeouts = edits("timeouts");
    for (_, field, before, after) in edits("circuitBreaker").into_iter().chain(timeouts) {
        let (Some(before), Some(after)) = (before.circuit_breaker, after.circuit_breaker) else {
            assert_eq!(field, "enabled");
            continue;
        };
        // Closed, with three calls in the window.
        let breaker = Breaker::new(before.config.config.clone(), 7, now);
        for outcome in [Outcome::Failure, Outcome::Success, Outcome::Failure] {
            breaker.acquire(now).unwrap().record(outcome, now);
        }
        let was = breaker.snapshot(now);
        assert_eq!((was.window.total, was.window.failed), (3, 2), "{field}");
        breaker.reconfigure(after.config.config.clone(), now);
        assert_eq!(breaker.snapshot(now), was, "{field}");

        // Open: until when it was to be.
        let breaker = Breaker::new(before.config.config, 7, now);
        for _ in 0..100 {
            if let Ok(permit) = breaker.acquire(now) {
                permit.record(Outcome::Failure, now);
            }
        }
        let was = breaker.snapshot(now);
        assert_eq!(was.state, State::Open, "{field}");
        breaker.reconfigure(after.config.config, now);
        assert_eq!(breaker.snapshot(now), was, "{field}");
    }
}

#[test]
fn another_type_of_window_begins_empty_and_the_state_stays() {
    let now = Instant::now();
    let window = |kind: &str| {
        let spec = json!({"circuitBreaker": {"slidingWindow": {"type": kind}}});
        compiled(spec).circuit_breaker.unwrap().config.config
    };
    let (time, count) = (window("TimeBased"), window("CountBased"));
    assert!(matches!(count.window(), Window::Count { calls: 100 }));
    let breaker = Breaker::new(time, 7, now);
    breaker.acquire(now).unwrap().record(Outcome::Failure, now);
    breaker.reconfigure(count, now);
    let snapshot = breaker.snapshot(now);
    assert_eq!(
        (snapshot.window.total, snapshot.total, snapshot.state),
        (0, 1, State::Closed)
    );
}

#[test]
fn an_edit_of_outlier_detection_keeps_ejections() {
    let now = Instant::now();
    for (_, field, before, after) in edits("outlierDetection") {
        let (Some(before), Some(after)) = (before.outlier_detection, after.outlier_detection)
        else {
            assert_eq!(field, "enabled");
            continue;
        };
        let outlier = Outlier::new(before.config, now).unwrap();
        let endpoints = outlier.members(["a", "b", "c"], now);
        for _ in 0..5 {
            let ticket = endpoints[0].begin();
            outlier.record(&endpoints[0], ticket, Observed::Failure, now);
        }
        let until = |seconds: u64| endpoints[0].is_ejected(now + Duration::from_secs(seconds));
        let was: Vec<bool> = (0..60).map(until).collect();
        assert!(was[0], "{field}");
        outlier.reconfigure(after.config).unwrap();
        assert_eq!((0..60).map(until).collect::<Vec<_>>(), was, "{field}");
    }
}

#[test]
fn an_edit_of_a_bulkhead_keeps_who_is_in_it_and_who_waits() {
    let now = Instant::now();
    for (_, field, before, after) in edits("bulkhead") {
        let (Some(before), Some(after)) = (before.bulkhead, after.bulkhead) else {
            assert_eq!(field, "enabled");
            continue;
        };
        let bulkhead: Bulkhead = Bulkhead::new(before.config);
        let enter =
            || Bulkhead::enter(&bulkhead, None, now, || std::task::Waker::noop().clone()).unwrap();
        let places = before.config.max_concurrent() + u32::from(before.config.max_queued() > 0);
        let mut entries: Vec<Entry<_, _>> = (0..places).map(|_| enter()).collect();
        let was = bulkhead.stats();
        bulkhead.reconfigure(after.config);
        let is = bulkhead.stats();
        assert_eq!(
            is.in_flight + is.queued,
            was.in_flight + was.queued,
            "{field}"
        );
        entries.clear();
        assert_eq!(bulkhead.stats().in_flight, 0, "{field}");
    }
}

#[test]
fn an_edit_of_an_adaptive_limit_keeps_the_limit_within_its_bounds() {
    let now = Instant::now();
    for (_, field, before, after) in edits("adaptiveConcurrency") {
        let (Some(before), Some(after)) = (before.adaptive_concurrency, after.adaptive_concurrency)
        else {
            assert_eq!(field, "enabled");
            continue;
        };
        let adaptive = Adaptive::new(before.config, 7, now);
        let places: Vec<_> = (0..5)
            .map(|_| Adaptive::acquire(&adaptive, now).unwrap())
            .collect();
        // Five windows of failures move the limit away from where it began.
        for window in 1..=5 {
            let then = now + Duration::from_secs(window);
            for _ in 0..10 {
                let permit = Adaptive::acquire(&adaptive, then).unwrap();
                permit.record(Outcome::Failure, then + Duration::from_millis(500));
            }
        }
        let was = adaptive.stats();
        adaptive.reconfigure(after.config, 7);
        let is = adaptive.stats();
        assert_eq!(is.in_flight, 5, "{field}");
        assert_eq!(
            is.limit,
            was.limit.clamp(after.config.min(), after.config.max()),
            "{field}"
        );
        drop(places);
    }
}

#[test]
fn an_edit_of_a_budget_keeps_its_count() {
    let now = Instant::now();
    let budgets = |compiled: &Compiled, section: &str| match section {
        "retry" => compiled.retry.as_ref().map(|rule| rule.config.budget),
        _ => compiled.hedging.as_ref().map(|rule| rule.config.budget),
    };
    for section in ["retry", "hedging"] {
        for (_, field, before, after) in edits(section) {
            let (Some(before), Some(after)) = (budgets(&before, section), budgets(&after, section))
            else {
                assert_eq!(field, "enabled");
                continue;
            };
            let budget = Budget::new(before, now);
            for _ in 0..100 {
                budget.deposit(now);
            }
            assert!(budget.withdraw(now) && budget.withdraw(now));
            budget.reconfigure(after);
            let is = budget.status(now);
            assert_eq!((is.requests, is.retries), (100, 2), "{section}.{field}");
        }
    }
}

#[test]
fn an_edit_of_hedging_keeps_the_latencies_measured() {
    let now = Instant::now();
    let rule = |percentile: u32| {
        let spec = json!({"hedging": {"delay": {"percentile": percentile, "samples": 10}}});
        compiled(spec).hedging.unwrap().config.config
    };
    let hedge = Hedge::new(rule(95), now);
    for _ in 0..20 {
        hedge.record(Duration::from_millis(40), now);
    }
    let hedge = hedge.reconfigured(rule(90));
    let request = Hedgeable {
        sent: 1,
        idempotency: Idempotency::of_method("GET"),
        body: Body::Empty,
        remaining: None,
    };
    assert!(
        matches!(hedge.plan(&request, now), HedgeDecision::After(_)),
        "it has measured enough"
    );
}

#[test]
fn an_edit_of_a_limit_keeps_what_is_used_up() {
    let now = Instant::now();
    let rules = |requests: u32, key: Value, algorithm: &str| {
        let mut rule =
            json!({"name": "all", "requests": requests, "period": "10s", "algorithm": algorithm});
        if !key.is_null() {
            rule["key"] = key;
        }
        let other = json!({"name": "other", "requests": 1, "period": "1s"});
        compiled(json!({"rateLimit": {"rules": [other, rule]}}))
            .rate_limit
            .unwrap()
            .config
    };
    let bucket = |requests| match rules(requests, Value::Null, "TokenBucket")[1].limiter {
        Limiter::TokenBucket(quota) => quota,
        other => panic!("{other:?}"),
    };
    let limiter = Gcra::new(bucket(10), now);
    let _ = limiter.check_n(10, now).unwrap();
    limiter.reconfigure(bucket(20), now);
    assert!(
        limiter.check_n(15, now).is_err(),
        "what was used up stays used up"
    );

    let keyed = Keyed::<String>::new(bucket(10), 100, now).unwrap();
    let _ = keyed.check_n("a", 10, now).unwrap();
    keyed.reconfigure(bucket(20), now);
    assert!(keyed.check_n("a", 15, now).is_err());

    let window = SlidingWindow::new(bucket(10), now);
    let _ = window.check_n(10, now).unwrap();
    window.reconfigure(bucket(12), now);
    assert!(window.check_n(5, now).is_err());

    let plain = &rules(10, Value::Null, "TokenBucket")[1];
    assert!(plain.keeps_count_of(&rules(99, Value::Null, "TokenBucket")[1]));
    assert!(
        !plain.keeps_count_of(&rules(10, Value::Null, "SlidingWindow")[1]),
        "another algorithm"
    );
    assert!(
        !plain.keeps_count_of(&rules(10, Value::Null, "TokenBucket")[0]),
        "another name"
    );
    let header =
        |name: &str| rules(10, json!({"type": "Header", "name": name}), "TokenBucket")[1].clone();
    assert!(!plain.keeps_count_of(&header("x-tenant")), "another key");
    assert!(
        header("X-Tenant").keeps_count_of(&header("x-tenant")),
        "the same key, written otherwise"
    );
}

#[test]
fn an_edit_of_a_balancer_goes_on_with_the_turns() {
    let rule = |fields: Value| {
        compiled(json!({"loadBalancer": fields}))
            .load_balancer
            .unwrap()
            .config
    };
    let turns = rule(json!({"type": "RoundRobin"}));
    let edited = rule(json!({"type": "RoundRobin", "healthyPanicThreshold": 20}));
    let endpoints = ["a", "b", "c"].map(|key| Candidate {
        key: key.as_bytes(),
        weight: 1,
    });
    let mut random = fastrand::Rng::with_seed(7);
    let balancer = Balancer::new(turns.algorithm, &endpoints);
    assert_eq!(balancer.pick(0, &mut random, |_| 0, |_| true), Some(0));
    let balancer = balancer.rebuilt(edited.algorithm, &endpoints);
    assert_eq!(balancer.pick(0, &mut random, |_| 0, |_| true), Some(1));
}

#[test]
fn an_edit_of_a_fallback_keeps_its_answers_unless_their_bounds_change() {
    for (_, field, before, after) in edits("fallback") {
        let (Some(before), Some(after)) = (before.fallback, after.fallback) else {
            assert_eq!(field, "enabled");
            continue;
        };
        let bounds_change = ["maxEntries", "maxBytes"].contains(&field);
        assert_eq!(
            before.config.kept != after.config.kept,
            bounds_change,
            "{field}"
        );
    }
}
