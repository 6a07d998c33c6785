//! Limits that several processes count together: what is asked of whoever counts, and what its answer means.

use std::{borrow::Cow, time::Duration};

use guildhall_core::policy::{
    compile::KeyedBy,
    guard::{Asked, Asking, Limits},
};
use guildhall_resilience::limiter::{
    Gcra,
    exact::{Answer, Over},
};
use serde_json::{Value, json};

use super::{Owner, nobody, on_users, only, policies};

const HOUR: Duration = Duration::from_secs(3600);

fn limits(rules: Value) -> Value {
    json!({"rateLimit": {"rules": rules}})
}

fn by_tenant(tenant: &'static str) -> impl Fn(&KeyedBy) -> Cow<'static, str> {
    move |_| Cow::Borrowed(tenant)
}

fn asking<'l>(limits: &'l Limits, owner: &Owner, tenant: &'static str) -> Asking<'l> {
    match limits.ask(owner.now, by_tenant(tenant)) {
        Ok(Asked::Exact(asking)) => asking,
        other => panic!("{other:?}"),
    }
}

/// What whoever counts answers when this many requests were there before.
fn passed(asking: &Asking<'_>, owner: &Owner, before: u32) -> Answer {
    let answers = asking.asks().iter().map(|ask| {
        let gcra = Gcra::new(ask.quota, owner.now);
        gcra.check_n(before + 1, owner.now).unwrap()
    });
    Ok(answers.collect())
}

#[test]
fn what_is_counted_here_comes_first_and_the_rest_is_asked_at_once_by_name() {
    let mut owner = Owner::new();
    let way = owner.direct(&only(5, limits(json!([
        {"name": "fleet", "requests": 100, "period": "1h", "scope": "Exact"},
        {"name": "each", "requests": 50, "period": "1h", "scope": "Exact", "key": {"type": "Header", "name": "x-tenant"}},
        {"name": "here", "requests": 1, "period": "1h"},
    ]))));
    let limits = way.enforced.rate_limit.as_ref().unwrap();
    assert!(limits.exact);
    let first = asking(limits, &owner, "acme");
    let asked: Vec<_> = first
        .asks()
        .iter()
        .map(|ask| (&*ask.count, ask.key.as_deref(), ask.quota.limit()))
        .collect();
    assert_eq!(
        asked,
        [
            ("default/users/Service/users/fleet", None, 100),
            ("default/users/Service/users/each", Some("acme"), 50),
        ]
    );
    let answer = passed(&first, &owner, 29);
    let pass = first.answered(Some(answer), owner.now).unwrap();
    let (at, status) = pass.tightest.unwrap();
    // The least is left of what is counted here: nothing.
    assert_eq!((&*limits.limits[at].name, status.remaining), ("here", 0));
    // What is refused here asks nobody.
    let refused = limits.ask(owner.now, by_tenant("acme")).unwrap_err();
    assert_eq!(refused.rule.as_deref(), Some("here"));
}

#[test]
fn a_refusal_elsewhere_names_the_rule_and_when_to_come_back() {
    let mut owner = Owner::new();
    let way = owner.direct(&only(
        5,
        limits(json!([
            {"name": "wide", "requests": 9, "period": "1h", "scope": "Exact"},
            {"name": "narrow", "requests": 1, "period": "1h", "scope": "Exact"},
        ])),
    ));
    let limits = way.enforced.rate_limit.as_ref().unwrap();
    let asking = asking(limits, &owner, "");
    let used_up = Gcra::new(asking.asks()[1].quota, owner.now);
    let _ = used_up.check(owner.now).unwrap();
    let limited = used_up.check(owner.now).unwrap_err();
    let refused = asking
        .answered(Some(Err(Over { at: 1, limited })), owner.now)
        .unwrap_err();
    assert_eq!(
        refused.to_string(),
        "rejected by rate-limit \"narrow\": policy default/users (revision 5, on Service default/users): try again in 3600s"
    );
}

#[test]
fn without_an_answer_each_limit_goes_on_here_from_what_this_process_has_used() {
    let mut owner = Owner::new();
    let way = owner.direct(&only(5, limits(json!([
        {"name": "fleet", "requests": 10, "period": "1h", "scope": "Exact"},
        {"name": "each", "requests": 3, "period": "1h", "scope": "Exact", "key": {"type": "Header", "name": "x-tenant"}},
    ]))));
    let limits = way.enforced.rate_limit.as_ref().unwrap();
    for before in [0, 1] {
        let asking = asking(limits, &owner, "acme");
        let answer = passed(&asking, &owner, before);
        let pass = asking.answered(Some(answer), owner.now).unwrap();
        let (at, status) = pass.tightest.unwrap();
        assert_eq!((at, status.remaining), (1, 2 - before));
    }
    let pass = asking(limits, &owner, "acme")
        .answered(None, owner.now)
        .unwrap();
    assert_eq!(pass.tightest.unwrap().1.remaining, 0);
    let refused = asking(limits, &owner, "acme")
        .answered(None, owner.now)
        .unwrap_err();
    assert_eq!(refused.rule.as_deref(), Some("each"));
    assert_eq!(refused.retry_after, Some(HOUR / 3));
    // Who cannot ask at all counts here, too.
    assert!(limits.admit(owner.now, by_tenant("else")).is_ok());
}

#[test]
fn what_is_only_tried_has_a_count_of_its_own_and_another_scope_begins_anew() {
    let mut owner = Owner::new();
    let rule = |scope: &str| json!([{"name": "a", "requests": 2, "period": "1h", "scope": scope}]);
    let tried = |scope: &str| {
        let mut fields = limits(rule(scope));
        fields["mode"] = json!("DryRun");
        policies(&[on_users(3, fields)])
    };
    let way = owner.direct(&tried("Exact"));
    assert!(way.enforced.rate_limit.is_none());
    let limits_tried = way.tried.as_ref().unwrap().rate_limit.as_ref().unwrap();
    let asks = asking(limits_tried, &owner, "");
    assert_eq!(
        &*asks.asks()[0].count,
        "dry-run:default/users/Service/users/a"
    );
    asks.answered(None, owner.now).unwrap().forgo_line();
    assert!(way.trial_behind_limits(owner.now).is_some());

    for scope in ["Exact", "Local", "Exact"] {
        let way = owner.direct(&only(5, limits(rule(scope))));
        let limits = way.enforced.rate_limit.as_ref().unwrap();
        let left = limits
            .admit(owner.now, nobody)
            .unwrap()
            .tightest
            .unwrap()
            .1
            .remaining;
        assert_eq!(left, 1, "{scope}");
    }
}
