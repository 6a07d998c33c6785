//! Machines outlive the ways over them: shared, kept over edits, told orders once, tried without biting, forgotten late.

use std::{
    borrow::Cow,
    sync::Arc,
    time::{Duration, Instant},
};

use guildhall_core::{
    document::{Namespace, ServiceName, Timestamp, decode},
    policy::{
        Chain, Policies, Section,
        compile::KeyedBy,
        guard::{Ended, Guarded, Guards, KEPT, Measured, Rules, Shell, Way},
        spec::{Sections, TargetKind},
    },
    route::table::{ClusterKey, Subset},
};
use guildhall_resilience::{
    Outcome,
    breaker::{Breaker, State},
    bulkhead::{Bulkhead, Entry},
    fallback::Cause,
    outlier::{Event, Observed},
};
use serde_json::{Value, json};

use super::{Written, policies, users, written};

enum InTest {}

impl Shell for InTest {
    type Endpoint = u32;
    type AnswerKey = &'static str;
    type Answer = &'static str;
}

/// A shell's owner of machines, with its two clocks.
struct Owner {
    guards: Guards<InTest>,
    start: Instant,
    now: Instant,
}

const WALL: u64 = 1_767_225_600_000; // 2026-01-01

impl Owner {
    fn new() -> Self {
        let now = Instant::now();
        Self {
            guards: Guards::new(7),
            start: now,
            now,
        }
    }

    fn wait(&mut self, time: Duration) {
        self.now += time;
    }

    fn way(&mut self, policies: &Policies, chain: &Chain) -> Arc<Way<InTest>> {
        let passed = self.now.duration_since(self.start).as_millis() as u64;
        let wall = Timestamp(WALL + passed);
        self.guards
            .way(policies, chain, &service("users"), self.now, wall)
    }

    /// The way of an SDK.
    fn direct(&mut self, policies: &Policies) -> Arc<Way<InTest>> {
        self.way(policies, &to_users())
    }

    /// The way through a route's only rule.
    fn by_route(&mut self, policies: &Policies, route: &str) -> Arc<Way<InTest>> {
        let here = Namespace::default();
        let chain = to_users().route(TargetKind::HttpRoute, &here, route, None);
        self.way(policies, &chain)
    }
}

fn service(name: &str) -> ClusterKey {
    ClusterKey {
        namespace: Namespace::default(),
        service: ServiceName::new(name).unwrap(),
        subset: Subset::DefaultPort,
    }
}

fn to_users() -> Chain {
    Chain::default().service(&Namespace::default(), "users")
}

fn route(name: &str) -> Value {
    json!({"kind": "HTTPRoute", "name": name})
}

fn on_users(revision: u64, fields: Value) -> Written {
    let mut written = written("users", 1, users(), fields);
    written.metadata.revision = revision;
    written
}

fn only(revision: u64, fields: Value) -> Policies {
    policies(&[on_users(revision, fields)])
}

fn breaker(way: &Way<InTest>) -> &Arc<Breaker> {
    &way.enforced.breaker.as_ref().unwrap().machine
}

fn fail(breaker: &Breaker, times: u32, now: Instant) {
    for _ in 0..times {
        if let Ok(permit) = breaker.acquire(now) {
            permit.record(Outcome::Failure, now);
        }
    }
}

fn nobody(_: &KeyedBy) -> Cow<'static, str> {
    Cow::Borrowed("")
}

#[test]
fn without_policies_there_is_nothing_to_do() {
    let mut owner = Owner::new();
    let way = owner.direct(&policies(&[]));
    assert!(way.is_empty() && owner.guards.is_empty());
    assert!(way.trial(owner.now, nobody).is_none());
}

#[test]
fn ways_to_one_service_share_its_machines_whatever_their_route() {
    let all = policies(&[
        on_users(
            1,
            json!({
                "circuitBreaker": {}, "bulkhead": {}, "adaptiveConcurrency": {}, "outlierDetection": {},
                "retry": {}, "hedging": {}, "fallback": {"sources": [{"cached": {"maxAge": "1m"}}]},
                "rateLimit": {"rules": [{"name": "all", "requests": 9, "period": "1m"}]},
            }),
        ),
        // Says something to the breaker, but not for every way.
        written(
            "a",
            2,
            route("a"),
            json!({"timeouts": {"backendRequest": "90s"}}),
        ),
    ]);
    let mut owner = Owner::new();
    let (a, b) = (owner.by_route(&all, "a"), owner.by_route(&all, "b"));
    let (a, b): (&Rules<InTest>, &Rules<InTest>) = (&a.enforced, &b.enforced);
    macro_rules! shared {
        ($($field:ident.$machine:ident),+) => {$({
            let (a, b) = (a.$field.as_ref().unwrap(), b.$field.as_ref().unwrap());
            assert!(Arc::ptr_eq(&a.$machine, &b.$machine), stringify!($field));
        })+};
    }
    shared!(
        breaker.machine,
        bulkhead.machine,
        adaptive.machine,
        outlier.machine,
        retry.budget,
        hedging.budget
    );
    let kept = |rules: &Rules<InTest>| rules.fallback.as_ref().unwrap().kept.clone().unwrap();
    assert!(Arc::ptr_eq(&kept(a), &kept(b)));
    let deadline = a
        .breaker
        .as_ref()
        .unwrap()
        .machine
        .config()
        .half_open_deadline();
    assert_eq!(
        deadline,
        Duration::from_secs(30),
        "the service's own, by whichever way it was asked last"
    );
    for rules in [a, b, a] {
        let _ = rules
            .rate_limit
            .as_ref()
            .unwrap()
            .admit(owner.now, nobody)
            .unwrap();
    }
    let pass = b
        .rate_limit
        .as_ref()
        .unwrap()
        .admit(owner.now, nobody)
        .unwrap();
    assert_eq!(pass.tightest.unwrap().1.remaining, 5);
    // Latencies measured on one way serve the other.
    let (a, b) = (a.hedging.as_ref().unwrap(), b.hedging.as_ref().unwrap());
    for _ in 0..1000 {
        a.hedge.record(Duration::from_millis(40), owner.now);
    }
    let request = guildhall_resilience::hedge::Hedgeable {
        sent: 1,
        idempotency: guildhall_resilience::retry::Idempotency::of_method("GET"),
        body: guildhall_resilience::retry::Body::Empty,
        remaining: None,
    };
    let decision = b.hedge.plan(&request, owner.now);
    assert!(
        matches!(
            decision,
            guildhall_resilience::hedge::HedgeDecision::After(_)
        ),
        "{decision:?}"
    );
}

#[test]
fn a_route_with_a_budget_of_its_own_spends_its_own() {
    let all = policies(&[
        on_users(1, json!({"retry": {}})),
        written(
            "a",
            2,
            route("a"),
            json!({"retry": {"budget": {"percent": 1}}}),
        ),
        written("b", 3, route("b"), json!({"retry": {"attempts": 5}})),
    ]);
    let mut owner = Owner::new();
    let [a, b, direct] = [
        owner.by_route(&all, "a"),
        owner.by_route(&all, "b"),
        owner.direct(&all),
    ]
    .map(|way| way.enforced.retry.as_ref().unwrap().budget.clone());
    assert!(!Arc::ptr_eq(&a, &direct), "it has its own");
    assert!(Arc::ptr_eq(&b, &direct), "it says nothing of a budget");
    assert_eq!((a.config().ratio(), b.config().ratio()), (0.01, 0.2));
}

#[test]
fn services_and_subsets_have_machines_of_their_own() {
    let everywhere = json!({"kind": "Namespace", "name": "default"});
    let all = policies(&[written(
        "all",
        1,
        everywhere,
        json!({
            "circuitBreaker": {},
            "rateLimit": {"rules": [{"name": "all", "requests": 9, "period": "1m"}]},
        }),
    )]);
    let mut owner = Owner::new();
    let mut way = |service: &ClusterKey| {
        let chain = Chain::default().service(&service.namespace, service.service.as_str());
        owner
            .guards
            .way(&all, &chain, service, owner.now, Timestamp(WALL))
    };
    let users = service("users");
    let grpc = ClusterKey {
        subset: Subset::PortName("grpc".into()),
        ..users.clone()
    };
    let ways = [way(&users), way(&grpc), way(&service("orders"))];
    assert!(!Arc::ptr_eq(breaker(&ways[0]), breaker(&ways[1])));
    assert!(!Arc::ptr_eq(breaker(&ways[0]), breaker(&ways[2])));
    // What is under one target shares one count.
    let left = ways.map(|way| {
        let limits = way.enforced.rate_limit.as_ref().unwrap();
        let pass = limits.admit(owner.now, nobody).unwrap();
        pass.tightest.unwrap().1.remaining
    });
    assert_eq!(left, [8, 7, 6]);
}

#[test]
fn an_edit_keeps_windows_and_an_unrelated_one_touches_nothing() {
    let mut owner = Owner::new();
    let rules =
        |requests: u32| json!({"rules": [{"name": "all", "requests": requests, "period": "1h"}]});
    let before = only(
        1,
        json!({"circuitBreaker": {"consecutiveFailures": 5}, "rateLimit": rules(10)}),
    );
    let way = owner.direct(&before);
    fail(breaker(&way), 4, owner.now);
    for _ in 0..9 {
        let _ = way
            .enforced
            .rate_limit
            .as_ref()
            .unwrap()
            .admit(owner.now, nobody)
            .unwrap();
    }
    let was = breaker(&way).snapshot(owner.now);

    // Another service's policy comes, and a revision that changes nothing.
    let elsewhere = json!({"kind": "Service", "name": "orders"});
    let spec = json!({"circuitBreaker": {"consecutiveFailures": 5}, "rateLimit": rules(10)});
    let unrelated = policies(&[
        on_users(2, spec),
        written("other", 3, elsewhere, json!({"circuitBreaker": {}})),
    ]);
    let next = owner.direct(&unrelated);
    assert!(Arc::ptr_eq(breaker(&way), breaker(&next)));
    assert_eq!(breaker(&next).snapshot(owner.now), was);
    assert_eq!(
        next.enforced.source(Section::CircuitBreaker).revision,
        2,
        "the new one is named"
    );

    // An edit of the section itself.
    let edited = only(
        4,
        json!({"circuitBreaker": {"consecutiveFailures": 6}, "rateLimit": rules(20)}),
    );
    let next = owner.direct(&edited);
    fail(breaker(&next), 1, owner.now);
    assert_eq!(breaker(&next).state(), State::Closed, "five of six");
    fail(breaker(&next), 1, owner.now);
    assert_eq!(
        breaker(&next).state(),
        State::Open,
        "the first four were not forgotten"
    );
    let limits = next.enforced.rate_limit.as_ref().unwrap();
    let pass = limits.admit(owner.now, nobody).unwrap();
    assert_eq!(
        pass.tightest.unwrap().1.remaining,
        10,
        "nine and this one are used up of twenty"
    );
    assert_eq!(&*limits.policy_header, r#""all";q=20;w=3600"#);
}

#[test]
fn another_algorithm_counts_anew() {
    let mut owner = Owner::new();
    let limit = |algorithm: &str| {
        only(
            1,
            json!({"rateLimit": {"rules": [
                {"name": "all", "requests": 2, "period": "1h", "algorithm": algorithm}
            ]}}),
        )
    };
    let admit = |way: &Way<InTest>, now| {
        way.enforced
            .rate_limit
            .as_ref()
            .unwrap()
            .admit(now, nobody)
            .is_ok()
    };
    let way = owner.direct(&limit("TokenBucket"));
    assert_eq!(
        [
            admit(&way, owner.now),
            admit(&way, owner.now),
            admit(&way, owner.now)
        ],
        [true, true, false]
    );
    let way = owner.direct(&limit("SlidingWindow"));
    assert!(admit(&way, owner.now));
}

#[test]
fn a_machine_is_kept_ten_minutes_after_its_rule_is_gone() {
    let mut owner = Owner::new();
    let all = only(1, json!({"circuitBreaker": {"consecutiveFailures": 1}}));
    let way = owner.direct(&all);
    fail(breaker(&way), 1, owner.now);
    drop(way);
    owner.guards.sweep(owner.now);
    assert_eq!(owner.guards.states(owner.now).count(), 0, "nobody uses it");

    owner.wait(KEPT - Duration::from_secs(1));
    owner.guards.sweep(owner.now);
    let way = owner.direct(&all);
    assert_eq!(breaker(&way).state(), State::Open, "it is found again");

    // Used, it stays however long; then it goes.
    owner.wait(KEPT * 2);
    owner.guards.sweep(owner.now);
    assert_eq!(owner.guards.len(), 1);
    drop(way);
    owner.guards.sweep(owner.now);
    owner.wait(KEPT);
    owner.guards.sweep(owner.now);
    assert!(owner.guards.is_empty());
    let way = owner.direct(&all);
    assert_eq!(breaker(&way).state(), State::Closed);
}

#[test]
fn unused_machines_are_bounded_and_the_oldest_go_first() {
    use guildhall_core::policy::guard::MOST;
    let everywhere = json!({"kind": "Namespace", "name": "default"});
    let all = policies(&[written("all", 1, everywhere, json!({"bulkhead": {}}))]);
    let mut owner = Owner::new();
    let take = |owner: &mut Owner, n: usize| {
        let service = service(&format!("s{n}"));
        let chain = Chain::default().service(&service.namespace, service.service.as_str());
        owner
            .guards
            .way(&all, &chain, &service, owner.now, Timestamp(WALL))
    };
    for n in 0..10 {
        take(&mut owner, n);
    }
    owner.guards.sweep(owner.now);
    owner.wait(Duration::from_secs(1));
    let used: Vec<_> = (10..MOST + 5).map(|n| take(&mut owner, n)).collect();
    owner.guards.sweep(owner.now);
    assert_eq!(owner.guards.len(), MOST, "five of the ten oldest went");
    assert_eq!(owner.guards.states(owner.now).count(), used.len());
}

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

#[test]
fn defaults_hold_where_policies_are_silent_and_go_when_one_says_so() {
    let mut owner = Owner::new();
    let defaults: Sections = decode(
        r#"{"circuitBreaker": {"enabled": true}, "retry": {"attempts": 1}}"#,
        "",
    )
    .unwrap();
    let way = owner.direct(&policies(&[]).with_defaults(defaults.clone()));
    let retry = way.enforced.retry.as_ref().unwrap();
    assert!(retry.source.is_built_in());
    assert_eq!(retry.policy.attempts(), 2);
    assert_eq!(
        way.enforced
            .rejection(Section::CircuitBreaker, None)
            .to_string(),
        "rejected by breaker: the built-in defaults: try again later"
    );

    let off = only(
        3,
        json!({"circuitBreaker": {"enabled": false}, "retry": {"attempts": 4}}),
    );
    let way = owner.direct(&off.with_defaults(defaults));
    assert!(way.enforced.breaker.is_none());
    assert_eq!(way.enforced.off, [Section::CircuitBreaker]);
    let retry = way.enforced.retry.as_ref().unwrap();
    assert_eq!((retry.policy.attempts(), retry.source.revision), (5, 3));
}

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
            (Guarded::Target { rule, .. }, Measured::RateLimit { passed, refused }) => {
                (rule.to_string(), passed, refused)
            }
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
