//! Machines outlive the ways over them: shared, kept over edits, told orders once, tried without biting, forgotten late.

mod exact;
mod machines;
mod orders;
mod shared;
mod trials;

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
        guard::{Guards, KEPT, Rules, Shell, Way},
        spec::{Sections, TargetKind},
    },
    route::table::{ClusterKey, Subset},
};
use guildhall_resilience::{
    Outcome,
    breaker::{Breaker, State},
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
