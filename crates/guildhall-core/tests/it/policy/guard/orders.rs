//! Orders to breakers are obeyed once, and end.

use std::time::Duration;

use guildhall_core::document::decode;
use guildhall_core::policy::{Policies, guard::Measured, spec::Sections};
use guildhall_resilience::breaker::State;
use serde_json::json;

use super::{Owner, breaker, fail, on_users, only, policies, written};

fn forced(revision: u64, state: &str, until: &str) -> Policies {
    let force = json!({"state": state, "until": until, "reason": "migration"});
    only(revision, json!({"circuitBreaker": {"force": force}}))
}

#[test]
fn a_state_by_order_holds_until_it_expires_is_changed_or_withdrawn() {
    let mut owner = Owner::new();
    let until = "2026-01-01T00:00:10Z";
    let way = owner.direct(&forced(1, "FORCED_OPEN", until));
    let refusal = breaker(&way).acquire(owner.now).unwrap_err();
    assert_eq!(refusal.state, State::ForcedOpen);
    let guard = way.enforced.breaker.as_ref().unwrap();
    assert_eq!(
        guard.reject(refusal).to_string(),
        "rejected by breaker: policy default/users (revision 1, on Service default/users): try again in 10s"
    );
    let state = owner.guards.states(owner.now).next().unwrap();
    assert!(
        matches!(state.measured, Measured::Breaker { forced: Some(order), .. } if order.reason == "migration")
    );

    owner.wait(Duration::from_secs(5));
    let way = owner.direct(&forced(2, "DISABLED", until));
    assert_eq!(breaker(&way).state(), State::Disabled);
    let way = owner.direct(&only(3, json!({"circuitBreaker": {}})));
    assert_eq!(breaker(&way).state(), State::Closed, "withdrawn");

    let way = owner.direct(&forced(4, "FORCED_OPEN", until));
    owner.wait(Duration::from_secs(5));
    owner.guards.sweep(owner.now);
    assert_eq!(
        breaker(&way).state(),
        State::Closed,
        "expired, though nobody called"
    );
    let way = owner.direct(&forced(4, "FORCED_OPEN", until));
    assert_eq!(breaker(&way).state(), State::Closed, "it stays expired");
}

#[test]
fn a_refusal_by_order_names_the_policy_that_orders() {
    let mut owner = Owner::new();
    let breaks = json!({"circuitBreaker": {"consecutiveFailures": 1}});
    let force = json!({"state": "FORCED_OPEN", "until": "2026-01-01T00:00:10Z", "reason": "drill"});
    let ordered = json!({"circuitBreaker": {"force": force}});
    let way = owner.direct(&policies(&[
        on_users(1, breaks),
        written("operator", 2, super::super::users(), ordered),
    ]));
    let refused = |owner: &Owner| {
        let refusal = breaker(&way).acquire(owner.now).unwrap_err();
        way.enforced.explain(refusal.into()).policy.policy.clone()
    };
    assert_eq!(refused(&owner), "operator");
    owner.wait(Duration::from_secs(11));
    owner.guards.sweep(owner.now);
    fail(breaker(&way), 1, owner.now);
    assert_eq!(refused(&owner), "users", "it is open by its own rules");
}

#[test]
fn an_order_alone_brings_no_breaker_that_judges() {
    let mut owner = Owner::new();
    let way = owner.direct(&forced(1, "DISABLED", "2026-01-01T00:00:10Z"));
    owner.wait(Duration::from_secs(11));
    owner.guards.sweep(owner.now);
    fail(breaker(&way), 1000, owner.now);
    assert_eq!(breaker(&way).state(), State::Closed);

    // Where there is one, it goes on to judge: by another policy, or by default.
    let order = on_users(
        1,
        json!({"circuitBreaker": {"reset": "2026-01-01T00:00:00Z"}}),
    );
    let everywhere = json!({"kind": "Namespace", "name": "default"});
    let with_policy = policies(&[
        order,
        written("all", 1, everywhere, json!({"circuitBreaker": {}})),
    ]);
    let way = owner.direct(&with_policy);
    fail(breaker(&way), 1000, owner.now);
    assert_eq!(breaker(&way).state(), State::Open);
    let defaults: Sections = decode(r#"{"circuitBreaker": {"enabled": true}}"#, "").unwrap();
    let with_default = forced(2, "DISABLED", "2026-01-01T00:00:12Z").with_defaults(defaults);
    let way = owner.direct(&with_default);
    owner.wait(Duration::from_secs(2));
    owner.guards.sweep(owner.now);
    fail(breaker(&way), 1000, owner.now);
    assert_eq!(breaker(&way).state(), State::Open);
}

#[test]
fn a_reset_is_obeyed_once() {
    let mut owner = Owner::new();
    let reset = |at: &str| {
        only(
            1,
            json!({"circuitBreaker": {"consecutiveFailures": 1, "reset": at}}),
        )
    };
    let without = only(1, json!({"circuitBreaker": {"consecutiveFailures": 1}}));
    let way = owner.direct(&without);
    fail(breaker(&way), 1, owner.now);
    assert_eq!(breaker(&way).state(), State::Open);

    owner.direct(&reset("2026-01-01T00:00:00Z"));
    assert_eq!(breaker(&way).state(), State::Closed);
    fail(breaker(&way), 1, owner.now);
    for again in ["2026-01-01T00:00:00Z", "2025-01-01T00:00:00Z"] {
        owner.direct(&reset(again));
        owner.direct(&without);
        assert_eq!(
            breaker(&way).state(),
            State::Open,
            "{again} is no new order"
        );
    }
    owner.direct(&reset("2026-01-01T00:00:01Z"));
    assert_eq!(breaker(&way).state(), State::Closed);
}
