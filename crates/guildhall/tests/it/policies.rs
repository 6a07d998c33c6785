//! Policies that are put to a platform, as calls notice them.

use std::time::Duration;

use guildhall::{CallError, Running, Service, ServiceClient, StandIn};
use guildhall_api::client::{Client, ClientOptions, Precondition, PutOptions};
use guildhall_core::{
    document::{
        Document, DocumentKey, Kind, Metadata, Namespace, Object, ServiceName, Timestamp, decode,
    },
    policy::Policy,
    registry::Instance,
};
use guildhall_server::{Platform, settings::Role};
use guildhall_testkit::redis::Redis;

use crate::{
    get, service, soon,
    upstream::{Does, Upstream},
};

/// How long a policy may take to be followed.
const SECOND: Duration = Duration::from_secs(1);

struct Fleet {
    platform: Platform,
    api: Client,
    users: Upstream,
    folder: tempfile::TempDir,
}

impl Fleet {
    /// A platform with one instance of `users`, which does as it is told.
    async fn start(does: Does) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let platform = Platform::builder()
            .data_dir(folder.path().join("data"))
            .roles([Role::Control])
            .start()
            .await
            .unwrap();
        let api = Client::new(ClientOptions::new([url(&platform)])).unwrap();
        let users = Upstream::listen("u1", does).await;
        let fleet = Self {
            platform,
            api,
            users,
            folder,
        };
        fleet
            .register(&Namespace::default(), "u1", &fleet.users)
            .await;
        fleet
    }

    /// Registers an instance of the `users` of this namespace.
    async fn register(&self, namespace: &Namespace, id: &str, upstream: &Upstream) {
        let host = upstream.address.ip().to_string();
        let name = ServiceName::new("users").unwrap();
        let spec = Instance::new(name, &host, upstream.address.port());
        let instance = Object::new(Metadata::named(namespace.clone(), id), spec);
        self.api.register(&instance).await.unwrap();
    }

    /// A service that calls `users`, and its client.
    async fn caller(&self) -> (Running, ServiceClient) {
        self.caller_with(|orders| orders).await
    }

    /// The same, with something else about the service.
    async fn caller_with(&self, with: impl FnOnce(Service) -> Service) -> (Running, ServiceClient) {
        let orders = service("orders")
            .platform(&url(&self.platform))
            .cache_dir(self.folder.path().join("cache"));
        let orders = with(orders).start().await.unwrap();
        let client = orders.client("users");
        (orders, client)
    }

    /// Puts a policy of `users`; answers its revision.
    async fn put(&self, name: &str, sections: &str) -> u64 {
        self.put_for(r#"{"kind": "Service", "name": "users"}"#, name, sections)
            .await
    }

    /// The same of a policy of `target`.
    async fn put_for(&self, target: &str, name: &str, sections: &str) -> u64 {
        let spec = format!(r#"{{"targetRefs": [{target}], {sections}}}"#);
        self.put_in(&Namespace::default(), name, &spec).await
    }

    async fn put_in(&self, namespace: &Namespace, name: &str, spec: &str) -> u64 {
        let spec: Policy = decode(spec, "/spec").unwrap();
        let policy = Object::new(Metadata::named(namespace.clone(), name), spec);
        let put = self
            .api
            .put(&Document::from(policy), PutOptions::default())
            .await
            .unwrap();
        put.document.metadata().revision
    }

    async fn delete(&self, name: &str) {
        let key = DocumentKey::new(Kind::Policy, Namespace::default(), name);
        self.api.delete(&key, Precondition::None).await.unwrap();
    }
}

fn url(platform: &Platform) -> String {
    format!("http://{}", platform.addresses().api.unwrap())
}

/// Calls until it ends as `wanted` says, within a second.
async fn until(
    client: &ServiceClient,
    what: &str,
    wanted: impl Fn(&Result<u16, CallError>) -> bool,
) -> Result<u16, CallError> {
    let reached = async {
        loop {
            let called = client.get("/").send().await;
            let ended = called.map(|answer| answer.status().as_u16());
            if wanted(&ended) {
                return ended;
            }
            tokio::task::yield_now().await;
        }
    };
    let reached = tokio::time::timeout(SECOND, reached).await;
    reached.unwrap_or_else(|_| panic!("{what} took more than a second"))
}

fn rejected_by(ended: &Result<u16, CallError>, pattern: &str, policy: &str, revision: u64) -> bool {
    let rejected = ended.as_ref().err().and_then(CallError::rejected);
    rejected.is_some_and(|rejected| {
        let by = &rejected.policy;
        (rejected.by.name(), by.policy.as_str(), by.revision) == (pattern, policy, revision)
    })
}

#[tokio::test]
async fn a_policy_is_followed_within_a_second_and_refusals_name_it() {
    let fleet = Fleet::start(Does::Answer(200)).await;
    let (_orders, client) = fleet.caller().await;
    assert_eq!(client.get("/").send().await.unwrap().status(), 200);

    let limit = |requests: u32| {
        format!(
            r#""rateLimit": {{"rules": [{{"name": "all", "requests": {requests}, "period": "1h"}}]}}"#
        )
    };
    let revision = fleet.put("calm", &limit(3)).await;
    let ended = until(&client, "the limit", |ended| {
        rejected_by(ended, "rate-limit", "calm", revision)
    });
    let told = ended.await.unwrap_err().to_string();
    let start = format!(
        "users was not called: rejected by rate-limit \"all\": policy default/calm (revision {revision}"
    );
    assert!(told.starts_with(&start), "{told}");

    // What is used up stays used up: one more than before is one more, not four.
    let asked = fleet.users.asked();
    let revision = fleet.put("calm", &limit(4)).await;
    let next = until(&client, "the next revision", |ended| {
        rejected_by(ended, "rate-limit", "calm", revision)
    });
    let _ = next.await;
    assert!(fleet.users.asked() - asked <= 1);

    fleet.delete("calm").await;
    let _ = until(&client, "the end of the limit", |ended| *ended == Ok(200)).await;
    fleet.platform.stop().await;
}

#[tokio::test]
async fn a_breaker_is_forced_open_and_released_by_order() {
    let fleet = Fleet::start(Does::Answer(200)).await;
    let (_orders, client) = fleet.caller().await;
    let until_when = Timestamp(4_000_000_000_000);
    let force = format!(
        r#""circuitBreaker": {{"force": {{"state": "FORCED_OPEN", "until": "{until_when}", "reason": "a rehearsal"}}}}"#
    );
    let revision = fleet.put("operator-users", &force).await;
    let _ = until(&client, "the order", |ended| {
        rejected_by(ended, "breaker", "operator-users", revision)
    })
    .await;
    fleet.delete("operator-users").await;
    let _ = until(&client, "its end", |ended| *ended == Ok(200)).await;
    fleet.platform.stop().await;
}

#[tokio::test]
async fn what_is_only_tried_is_counted() {
    let fleet = Fleet::start(Does::Answer(200)).await;
    let (orders, client) = fleet.caller().await;
    let counted = async |labels: &str| {
        let line = format!("guildhall_client_would_reject{{{labels},reason=\"rate-limit\"}} ");
        let counted = async {
            loop {
                assert_eq!(client.get("/").send().await.unwrap().status(), 200);
                let metrics = get(&orders, "/metrics").await.body;
                let count = metrics.lines().find_map(|l| l.strip_prefix(&line));
                if count.is_some_and(|count| count != "0") {
                    return;
                }
            }
        };
        soon(labels, counted).await;
    };
    // Several rules stand under the one service.
    let tried = r#""mode": "DryRun", "rateLimit": {"rules": [
        {"name": "all", "requests": 1, "period": "1h"}, {"name": "burst", "requests": 1, "period": "2h"}
    ]}"#;
    fleet.put("tried", tried).await;
    counted(r#"service="users",target="""#).await;
    fleet.delete("tried").await;
    let gone = async {
        let line = "guildhall_client_would_reject{";
        while get(&orders, "/metrics").await.body.contains(line) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    soon("the end of what was counted", gone).await;

    // A namespace's limit is no single service's.
    let whole = r#"{"kind": "Namespace", "name": "default"}"#;
    fleet.put_for(whole, "whole", tried).await;
    counted(r#"service="",target="Namespace/default""#).await;
    fleet.platform.stop().await;
}

#[tokio::test]
async fn policies_hold_on_while_the_platform_is_away_also_after_a_restart() {
    let fleet = Fleet::start(Does::Answer(500)).await;
    let (orders, client) = fleet.caller().await;
    let strict = r#""circuitBreaker": {"consecutiveFailures": 2, "minimumNumberOfCalls": 1000}"#;
    let revision = fleet.put("strict", strict).await;
    let named = |ended: &Result<u16, CallError>| rejected_by(ended, "breaker", "strict", revision);
    let _ = until(&client, "the breaker", named).await;
    orders.stop().await;
    let at = url(&fleet.platform);
    fleet.platform.stop().await;

    let again = service("orders")
        .platform(&at)
        .cache_dir(fleet.folder.path().join("cache"));
    let again = again.start().await.unwrap();
    let client = again.client("users");
    let held = async {
        while !named(
            &client
                .get("/")
                .send()
                .await
                .map(|answer| answer.status().as_u16()),
        ) {}
    };
    soon("the breaker of the copy", held).await;
}

#[tokio::test]
async fn a_service_of_another_namespace_stands_in_under_the_defaults() {
    let fleet = Fleet::start(Does::Answer(500)).await;
    let spare = Namespace::new("spare").unwrap();
    let stands_in = Upstream::listen("s1", Does::Answer(200)).await;
    fleet.register(&spare, "s1", &stands_in).await;
    // What the other namespace says is for those who are in it.
    let limit = r#"{"targetRefs": [{"kind": "Service", "name": "users"}],
        "rateLimit": {"rules": [{"name": "all", "requests": 1, "period": "1h"}]}}"#;
    fleet.put_in(&spare, "limit", limit).await;
    let (orders, client) = fleet.caller().await;
    let policy = r#""circuitBreaker": {"consecutiveFailures": 2, "minimumNumberOfCalls": 1000},
        "fallback": {"sources": [{"service": {"name": "users", "namespace": "spare"}}]}"#;
    fleet.put("stand-in", policy).await;
    let _ = until(&client, "the stand-in", |ended| *ended == Ok(200)).await;
    for _ in 0..5 {
        let answer = client.get("/").send().await.unwrap();
        assert_eq!(
            (&*answer.text(), answer.stand_in()),
            ("s1", Some(&StandIn::Service("spare/users".to_owned())))
        );
    }
    // Of the same name, and not the same: each has a breaker of its own.
    let states = async {
        let line = |service: &str, state: &str| {
            format!("guildhall_client_breaker_state{{service=\"{service}\",state=\"{state}\"}} 1\n")
        };
        loop {
            let metrics = get(&orders, "/metrics").await.body;
            let open = metrics.contains(&line("users", "OPEN"));
            if open && metrics.contains(&line("spare/users", "CLOSED")) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    soon("both breakers", states).await;
    orders.stop().await;

    // Both are remembered.
    fleet.platform.stop().await;
    let mut copies: Vec<String> = std::fs::read_dir(fleet.folder.path().join("cache"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".cache"))
        .collect();
    copies.sort();
    assert_eq!(
        copies,
        [
            "default.orders.spare%2Fusers.cache",
            "default.orders.users.cache"
        ]
    );
}

/// A counter of calls to `users`.
async fn metric(running: &Running, name: &str, reason: &str) -> u64 {
    let metrics = get(running, "/metrics").await.body;
    let line = format!(r#"guildhall_client_{name}_total{{service="users",reason="{reason}"}} "#);
    let value = metrics.lines().find_map(|seen| seen.strip_prefix(&line));
    value.map_or(0, |value| value.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn services_count_exact_limits_together_and_alone_while_redis_is_away() {
    let fleet = Fleet::start(Does::Answer(200)).await;
    let mut redis = Redis::start().unwrap();
    let rule = |name: &str, requests: u32| {
        let rule = r#"{"period": "1h", "scope": "Exact","#;
        format!(r#""rateLimit": {{"rules": [{rule} "name": "{name}", "requests": {requests}}}]}}"#)
    };
    let revision = fleet.put("calm", &rule("few", 20)).await;
    let refused =
        |ended: &Result<u16, CallError>| rejected_by(ended, "rate-limit", "calm", revision);
    let url = redis.url();
    let caller = async |id: &str| {
        let with = |orders: Service| orders.redis(&url).instance_id(id);
        fleet.caller_with(with).await
    };
    // Calls until some were counted so.
    let until_counted = async |(running, client): &(Running, ServiceClient), by: &str| {
        let before = metric(running, "exact_limits", by).await;
        let reached = async {
            while metric(running, "exact_limits", by).await == before {
                // Passed or refused: what counts is who counted.
                drop(client.get("/").send().await);
            }
        };
        soon("who counts", reached).await;
    };
    let first = caller("o1").await;
    until_counted(&first, "redis").await;
    until(&first.1, "the limit", refused).await.unwrap_err();
    let passed = metric(&first.0, "exact_limits", "redis").await
        - metric(&first.0, "rejections", "rate-limit").await;
    assert!(passed <= 20, "{passed}");

    // The first has used up what there is: of what Redis is asked for the second, nothing passes.
    let second = caller("o2").await;
    until_counted(&second, "redis").await;
    until(&second.1, "the limit", refused).await.unwrap_err();
    let asked = metric(&second.0, "exact_limits", "redis").await;
    let rejections = metric(&second.0, "rejections", "rate-limit").await;
    assert!((1..=rejections).contains(&asked), "{asked} {rejections}");

    redis.kill().unwrap();
    until_counted(&first, "alone").await;
}
