//! What is tried counts what it would have refused, and refuses nobody.

use std::{sync::Arc, time::Duration};

use guildhall_core::policy::{Section, guard::Ended};
use serde_json::json;

use super::{Owner, breaker, nobody, on_users, only, policies, users, written};

#[test]
fn what_is_tried_counts_and_refuses_nobody() {
    let mut owner = Owner::new();
    let all = policies(&[
        on_users(
            1,
            json!({"circuitBreaker": {}, "bulkhead": {"maxConcurrentCalls": 100}}),
        ),
        written(
            "try",
            2,
            users(),
            json!({
                "mode": "DryRun",
                "bulkhead": {"maxConcurrentCalls": 9},
                "rateLimit": {"rules": [{"name": "all", "requests": 4, "period": "1h"}]},
                "timeouts": {"request": "1s"},
            }),
        ),
        written(
            "try-breaker",
            3,
            json!({"kind": "Namespace", "name": "default"}),
            json!({
                "mode": "DryRun",
                "circuitBreaker": {"consecutiveFailures": 2},
            }),
        ),
    ]);
    let way = owner.direct(&all);
    assert!(way.enforced.rate_limit.is_none() && way.enforced.timeouts.is_none());
    let tried = way.tried.as_ref().unwrap();
    assert!(
        tried.bulkhead.is_none(),
        "the older policy's number would hold all the same"
    );
    assert!(!Arc::ptr_eq(
        &tried.breaker.as_ref().unwrap().machine,
        breaker(&way)
    ));

    // Two fail, the third would be refused by the breaker; the fifth and sixth by the limit.
    let mut told = Vec::new();
    for _ in 0..6 {
        let trial = way.trial(owner.now, nobody);
        told.push(trial.is_some());
        let later = owner.now + Duration::from_secs(2);
        if let Some(trial) = trial {
            trial.end(Ended::Status(503), later);
        }
        assert!(breaker(&way).acquire(owner.now).is_ok());
    }
    assert_eq!(told, [true, true, false, false, false, false]);
    let mut refused: Vec<_> = owner
        .guards
        .states(owner.now)
        .filter(|state| state.tried)
        .map(|state| {
            (
                state.section,
                state.measured.refused(),
                state.source.policy.clone(),
            )
        })
        .collect();
    refused.sort();
    let row = |section, refused, policy: &str| (section, refused, policy.to_owned());
    assert_eq!(
        refused,
        [
            row(Section::Timeouts, 2, "try"),
            row(Section::CircuitBreaker, 2, "try-breaker"),
            row(Section::RateLimit, 2, "try"),
        ]
    );
    assert_eq!(breaker(&way).snapshot(owner.now).window.failed, 0);
}

#[test]
fn a_tried_bulkhead_lets_as_many_in_as_would_wait() {
    let mut owner = Owner::new();
    let way = owner.direct(&only(
        1,
        json!({
            "mode": "DryRun",
            "bulkhead": {"maxConcurrentCalls": 1, "maxPendingRequests": 1},
        }),
    ));
    let first = way.trial(owner.now, nobody);
    let second = way.trial(owner.now, nobody);
    assert!(first.is_some() && second.is_some());
    assert!(way.trial(owner.now, nobody).is_none());
    drop(first);
    assert!(
        way.trial(owner.now, nobody).is_some(),
        "its place was given back"
    );
}

#[test]
fn what_is_tried_and_would_change_nothing_is_no_trial() {
    let mut owner = Owner::new();
    let bulkhead = json!({"maxConcurrentCalls": 3});
    let all = policies(&[
        on_users(1, json!({"bulkhead": bulkhead})),
        written(
            "same",
            2,
            users(),
            json!({"mode": "DryRun", "bulkhead": bulkhead, "retry": {}}),
        ),
    ]);
    let way = owner.direct(&all);
    assert!(way.tried.is_none());
    assert!(way.enforced.retry.is_none());
}
