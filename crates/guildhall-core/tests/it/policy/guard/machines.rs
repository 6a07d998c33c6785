//! What single machines do on a way: limits in turn, outliers' intervals, layers' refusals, answers kept.

use std::{borrow::Cow, time::Duration};

use guildhall_core::policy::{
    compile::KeyedBy,
    guard::{Guarded, Measured},
};
use guildhall_resilience::{
    bulkhead::{Bulkhead, Entry},
    fallback::Cause,
    outlier::{Event, Observed},
};
use serde_json::json;

use super::{Owner, only};

#[test]
fn limits_are_asked_in_turn_and_the_one_that_refuses_is_named() {
    let mut owner = Owner::new();
    let way = owner.direct(&only(5, json!({"rateLimit": {"rules": [
        {"name": "each", "requests": 1, "period": "1m", "key": {"type": "Header", "name": "x-tenant"}},
        {"name": "paced", "requests": 10, "period": "1s", "algorithm": "LeakyQueue", "maxWait": "100ms"},
    ]}})));
    let limits = way.enforced.rate_limit.as_ref().unwrap();
    let now = owner.now;
    let ask = |tenant: &'static str| {
        limits.admit(now, |by| match by {
            KeyedBy::Header(name) if name == "x-tenant" => Cow::Borrowed(tenant),
            _ => Cow::Borrowed(""),
        })
    };
    assert!(ask("a").unwrap().line.is_none());
    let refused = ask("a").unwrap_err();
    assert_eq!(
        refused.to_string(),
        "rejected by rate-limit \"each\": policy default/users (revision 5, on Service default/users): try again in 60s"
    );
    let line = ask("b").unwrap().line.unwrap();
    assert_eq!(line.wait(), Duration::from_millis(100));
    assert_eq!(ask("c").unwrap_err().rule.as_deref(), Some("paced"));
    // Who goes away gives the place back; who has had it does not.
    drop(line);
    let line = ask("d").unwrap().line.unwrap();
    assert_eq!(line.at(), now + Duration::from_millis(100));
    line.reached();
    assert!(ask("e").is_err());
    let figures: Vec<_> = owner
        .guards
        .states(now)
        .map(|state| match (state.guarded, state.measured) {
            (
                Guarded::Target { rule, .. },
                Measured::RateLimit {
                    passed, refused, ..
                },
            ) => (rule.to_string(), passed, refused),
            other => panic!("{other:?}"),
        })
        .collect();
    assert!(figures.contains(&("each".into(), 5, 1)), "{figures:?}");
    assert!(figures.contains(&("paced".into(), 3, 2)), "{figures:?}");
}

#[test]
fn outliers_are_swept_at_their_interval() {
    let mut owner = Owner::new();
    let way = owner.direct(&only(1, json!({"outlierDetection": {
        "interval": "5s", "baseEjectionTime": "7s", "consecutiveFailures": 1, "maxEjectionPercent": 50
    }})));
    let outlier = &way.enforced.outlier.as_ref().unwrap().machine;
    let members = outlier.members([1, 2], owner.now);
    let ticket = members[0].begin();
    outlier.record(&members[0], ticket, Observed::Failure, owner.now);
    let mut events = Vec::new();
    for second in 1..=11 {
        owner.wait(Duration::from_secs(1));
        for (service, event) in owner.guards.sweep(owner.now) {
            events.push((second, service.service.to_string(), event));
        }
    }
    assert_eq!(
        events,
        [(10, "users".to_owned(), Event::Returned { endpoint: 1 })]
    );
}

#[test]
fn a_layers_refusal_is_explained_and_counted_once() {
    let mut owner = Owner::new();
    let way = owner.direct(&only(2, json!({"bulkhead": {"maxConcurrentCalls": 1}})));
    let bulkhead = &way.enforced.bulkhead.as_ref().unwrap().machine;
    let enter = || {
        Bulkhead::enter(bulkhead.clone(), None, owner.now, || {
            std::task::Waker::noop().clone()
        })
    };
    let Ok(Entry::Admitted(_place)) = enter() else {
        panic!("it is empty");
    };
    let rejected = way.enforced.explain(enter().unwrap_err().into());
    assert_eq!(
        rejected.to_string(),
        "rejected by bulkhead: policy default/users (revision 2, on Service default/users): try again later"
    );
    let state = owner.guards.states(owner.now).next().unwrap();
    assert_eq!(
        state.measured,
        Measured::Bulkhead {
            in_flight: 1,
            queued: 0,
            limit: 1,
            refused: 1
        }
    );
}

#[test]
fn kept_answers_begin_anew_with_other_bounds() {
    let mut owner = Owner::new();
    let kept = |owner: &mut Owner, entries: u32| {
        let fallback = json!({"sources": [{"cached": {"maxAge": "1m"}}], "maxEntries": entries});
        let way = owner.direct(&only(1, json!({"fallback": fallback})));
        let fallback = way.enforced.fallback.as_ref().unwrap();
        assert!(fallback.rule.plan.covers(Cause::Failed));
        fallback.kept.clone().unwrap()
    };
    let ten = kept(&mut owner, 10);
    ten.lock().unwrap().store("/a", "A", 1, owner.now);
    assert_eq!(kept(&mut owner, 20).lock().unwrap().len(), 0);
    assert_eq!(
        kept(&mut owner, 10).lock().unwrap().len(),
        1,
        "they are put back with their rule"
    );
}
