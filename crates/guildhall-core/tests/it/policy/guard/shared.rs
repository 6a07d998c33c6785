//! Limits that many hold to: what passes here is this holder's part, which is told, kept over edits, and gone with its use.

use std::{sync::Arc, time::Duration};

use guildhall_core::{
    document::Namespace,
    policy::{
        Policies, Target,
        guard::{Granted, Measured, PolicyName, Share, SharedLimit, Way},
        spec::{Sections, TargetKind},
    },
};
use guildhall_resilience::limiter::shares::Part;
use serde_json::{Value, json};

use super::{InTest, Owner, nobody, on_users, only, policies, service};

/// 100 requests a second, for all who hold to it.
fn hundred(more: Value) -> Value {
    let mut rule = json!({"name": "all", "requests": 100, "period": "1s", "scope": "Shared"});
    rule.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    json!({"rateLimit": {"rules": [rule]}})
}

fn limit() -> SharedLimit {
    SharedLimit {
        policy: PolicyName {
            namespace: Namespace::default(),
            name: "users".to_owned(),
        },
        under: Target {
            kind: TargetKind::Service,
            namespace: Namespace::default(),
            name: "users".to_owned(),
            section_name: None,
        },
        name: "all".to_owned(),
        dry_run: false,
    }
}

fn give(owner: &mut Owner, share: f64) {
    let part = Part::from_f64(share);
    let limit = limit();
    owner.guards.grant(&Granted { limit, part }, owner.now);
}

/// How many of a thousand requests pass now.
fn pass(way: &Way<InTest>, owner: &Owner) -> usize {
    let limits = way.enforced.rate_limit.as_ref().unwrap();
    (0..1000)
        .filter(|_| limits.admit(owner.now, nobody).is_ok())
        .count()
}

/// The share that is told, if the limit is told at all.
fn told(owner: &Owner) -> Option<Share> {
    owner
        .guards
        .states(owner.now)
        .find_map(|state| match state.measured {
            Measured::RateLimit { share, .. } => Some(share.unwrap()),
            _ => None,
        })
}

fn second(owner: &mut Owner) {
    owner.wait(Duration::from_secs(1));
    owner.guards.sweep(owner.now);
}

#[test]
fn a_tenth_passes_until_a_part_is_told_and_what_is_told_says_what_is_asked_for() {
    let mut owner = Owner::new();
    let way = owner.direct(&only(1, hundred(json!({}))));
    assert_eq!(pass(&way, &owner), 10);
    let share = told(&owner).unwrap();
    assert_eq!((share.part, share.demand), (None, None));
    assert_eq!(share.policy, limit().policy);

    // What was used up does not come back with a larger part.
    give(&mut owner, 0.5);
    assert_eq!(pass(&way, &owner), 0);
    second(&mut owner);
    assert_eq!(pass(&way, &owner), 50);
    second(&mut owner);
    let share = told(&owner).unwrap();
    assert_eq!(share.part, Some(Part::from_f64(0.5)));
    assert_eq!(
        share.demand,
        Some(Part::from_f64(10.0)),
        "with what was refused"
    );
    // A smaller one takes what is beyond it.
    give(&mut owner, 0.2);
    assert_eq!(pass(&way, &owner), 20);
    give(&mut owner, 0.0);
    owner.wait(Duration::from_secs(9));
    assert!(pass(&way, &owner) <= 1, "a burst has one request at least");
}

#[test]
fn a_part_is_kept_while_a_way_has_it_and_no_longer() {
    let mut owner = Owner::new();
    let first = owner.direct(&only(1, hundred(json!({}))));
    give(&mut owner, 1.0);
    // An edit changes the limit, not the part of it.
    let way = owner.direct(&only(2, hundred(json!({"requests": 50}))));
    drop(first);
    second(&mut owner);
    assert_eq!(told(&owner).unwrap().part, Some(Part::ALL));
    assert_eq!(pass(&way, &owner), 50);

    // Out of use for a moment, without a sweep in between: it was not told, and its part may be another's.
    drop(way);
    assert_eq!(told(&owner), None);
    give(&mut owner, 1.0);
    let way = owner.direct(&only(2, hundred(json!({}))));
    assert_eq!(told(&owner).unwrap().part, None);
    second(&mut owner);
    assert_eq!(pass(&way, &owner), 10);
    give(&mut owner, 1.0);
    drop(way);
    second(&mut owner);
    let way = owner.direct(&only(2, hundred(json!({}))));
    second(&mut owner);
    assert_eq!((told(&owner).unwrap().part, pass(&way, &owner)), (None, 10));
    // Another scope is another count.
    let way = owner.direct(&only(3, hundred(json!({"scope": "Local"}))));
    assert_eq!(pass(&way, &owner), 100);
}

#[test]
fn what_is_tried_is_a_limit_of_its_own() {
    let mut owner = Owner::new();
    let mut tried = hundred(json!({}));
    tried["mode"] = json!("DryRun");
    let way = owner.direct(&only(1, tried));
    give(&mut owner, 1.0);
    assert_eq!(told(&owner).unwrap().part, None);
    let mut limit = limit();
    limit.dry_run = true;
    let part = Part::from_f64(0.5);
    owner.guards.grant(&Granted { limit, part }, owner.now);
    second(&mut owner);
    let passed = (0..1000).filter(|_| way.trial(owner.now, nobody).is_some());
    assert_eq!(passed.count(), 50);
}

#[test]
fn defaults_in_a_program_are_the_programs_own() {
    let defaults: Sections = serde_json::from_value(hundred(json!({}))).unwrap();
    let mut owner = Owner::new();
    let way = owner.direct(&policies(&[]).with_defaults(defaults.clone()));
    assert_eq!(pass(&way, &owner), 100, "nobody could divide it");
    // A policy that names them less specifically than another is the owner all the same.
    let all: Policies = policies(&[on_users(7, json!({"rateLimit": {"enabled": true}}))]);
    let way = owner.direct(&all.with_defaults(defaults));
    second(&mut owner);
    assert_eq!(pass(&way, &owner), 100);
}

#[test]
fn what_is_shared_reads_back_as_shares_of_one() {
    let granted = Granted {
        limit: limit(),
        part: Part::from_f64(1.0 / 3.0),
    };
    let written = serde_json::to_value(&granted).unwrap();
    let expect = json!({
        "policy": {"namespace": "default", "name": "users"},
        "under": {"kind": "Service", "namespace": "default", "name": "users"},
        "name": "all",
        "part": 0.333_333_333,
    });
    assert_eq!(written, expect);
    assert_eq!(serde_json::from_value::<Granted>(written).unwrap(), granted);
    let share: Share =
        serde_json::from_value(json!({"policy": expect["policy"], "part": -1, "demand": 2.5}))
            .unwrap();
    assert_eq!(
        (share.part, share.demand),
        (Some(Part::NONE), Some(Part::from_f64(2.5)))
    );
    let untold = json!({"policy": expect["policy"]});
    let share: Share = serde_json::from_value(untold.clone()).unwrap();
    assert_eq!(serde_json::to_value(&share).unwrap(), untold);
}

#[test]
fn all_ways_share_one_part() {
    let mut owner = Owner::new();
    let all = only(1, hundred(json!({})));
    let (a, b) = (owner.by_route(&all, "a"), owner.by_route(&all, "b"));
    give(&mut owner, 0.5);
    second(&mut owner);
    assert_eq!((pass(&a, &owner), pass(&b, &owner)), (50, 0));
    assert_eq!(owner.guards.states(owner.now).count(), 1);
    assert!(Arc::strong_count(&a) == 1 && a.service == service("users"));
}
