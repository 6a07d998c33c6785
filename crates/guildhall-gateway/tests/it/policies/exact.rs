//! Rate limits of scope `Exact`: several gateways count together, in a real Redis.

use std::time::{Duration, Instant};

use guildhall_core::document::Document;
use guildhall_gateway::{ExactCount, Options, RedisConfig};
use guildhall_testkit::redis::Redis;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::{GET, shown};
use crate::support::{Backend, Client, Fixture, for_service, instance, options, to_service, until};

/// So many requests an hour, of all gateways together.
fn exact(requests: u32, more: Value) -> Value {
    let mut rule = json!({"name": "all", "requests": requests, "period": "1h", "scope": "Exact"});
    for (field, value) in more.as_object().unwrap() {
        rule[field] = value.clone();
    }
    json!({"rateLimit": {"rules": [rule]}})
}

fn told(redis: &Redis, timeout: Duration) -> Options {
    let config = RedisConfig::new(&redis.url()).unwrap();
    Options {
        redis: Some(config.with_timeout(timeout).unwrap()),
        ..options()
    }
}

/// A gateway that counts in `redis`, once it does.
async fn counting(redis: &Redis, backend: &Backend, policy: Document) -> Fixture {
    let fixture = with(told(redis, Duration::from_secs(10)), backend, policy).await;
    counts(&fixture, &ExactCount::Redis).await;
    fixture
}

async fn with(options: Options, backend: &Backend, policy: Document) -> Fixture {
    let documents = vec![
        to_service("all", "/", "svc"),
        instance("svc", "one", backend.address),
        policy,
    ];
    Fixture::start(options, documents).await
}

async fn counts(fixture: &Fixture, who: &ExactCount) {
    until("it is known who counts", async || {
        fixture.gateway.status().exact_count == *who
    })
    .await;
}

async fn is_away(fixture: &Fixture) {
    until("Redis is missed", async || {
        matches!(
            fixture.gateway.status().exact_count,
            ExactCount::Away { .. }
        )
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_gateways_together_never_pass_more_than_the_limit() {
    let (redis, backend) = (Redis::start().unwrap(), Backend::named("svc").await);
    let policy = || for_service("calm", 3, exact(30, json!({})));
    let gateways = [
        counting(&redis, &backend, policy()).await,
        counting(&redis, &backend, policy()).await,
    ];
    assert_eq!(gateways[0].gateway.status().exact_limits, 1);
    let mut clients = JoinSet::new();
    for n in 0..8 {
        let address = gateways[n % 2].address();
        clients.spawn(async move {
            let mut client = Client::open(address).await;
            let mut passed = 0;
            for _ in 0..10 {
                let answer = client.ask(GET).await;
                match answer.status {
                    200 => passed += 1,
                    _ => assert_eq!(shown(&answer), (429, "rate_limited")),
                }
            }
            passed
        });
    }
    assert_eq!(clients.join_all().await.iter().sum::<usize>(), 30);
    assert_eq!(backend.requests(), 30);
    let asked = |n: usize| gateways[n].gateway.status().traffic;
    assert_eq!((asked(0).exact_asked, asked(0).exact_alone), (40, 0));
    assert_eq!((asked(1).exact_asked, asked(1).exact_alone), (40, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_are_told_where_they_stand_with_everybody_and_edits_keep_the_count() {
    let (redis, backend) = (Redis::start().unwrap(), Backend::named("svc").await);
    let keyed = json!({"key": {"type": "Header", "name": "x-tenant"}});
    let policy = |revision, requests| for_service("calm", revision, exact(requests, keyed.clone()));
    let mut one = counting(&redis, &backend, policy(3, 2)).await;
    let other = counting(&redis, &backend, policy(3, 2)).await;
    let get = |tenant: &str| format!("GET / HTTP/1.1\r\nHost: a\r\nX-Tenant: {tenant}\r\n\r\n");
    let first = one.ask(&get("acme")).await;
    let standing = first.header("ratelimit").unwrap();
    assert!(standing.starts_with("\"all\";r=1;t="), "{standing}");
    let second = other.ask(&get("acme")).await;
    let standing = second.header("ratelimit").unwrap();
    assert!(standing.starts_with("\"all\";r=0;t="), "{standing}");
    let refused = one.ask(&get("acme")).await;
    assert_eq!(shown(&refused), (429, "rate_limited"));
    assert!(refused.reason().ends_with("; policy-revision=3"));
    let after: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!(after > 1700 && after <= 1800, "{after}");
    assert_eq!(other.ask(&get("else")).await.status, 200);

    // What is used up stays used up over an edit.
    one.put(policy(4, 3));
    one.in_effect().await;
    assert_eq!(one.ask(&get("acme")).await.status, 200);
    assert_eq!(one.ask(&get("acme")).await.status, 429);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_dies_leaves_each_with_its_own_count_until_it_is_back() {
    let (mut redis, backend) = (Redis::start().unwrap(), Backend::named("svc").await);
    let policy = for_service("calm", 3, exact(5, json!({})));
    let options = Options {
        workers: 1,
        ..told(&redis, Duration::from_secs(10))
    };
    let fixture = with(options, &backend, policy).await;
    counts(&fixture, &ExactCount::Redis).await;
    let mut client = fixture.client().await;
    for _ in 0..2 {
        assert_eq!(client.ask(GET).await.status, 200);
    }
    redis.kill().unwrap();
    is_away(&fixture).await;
    // What this gateway has used up itself is used up.
    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(client.ask(GET).await.status);
    }
    assert_eq!(statuses, [200, 200, 200, 429]);
    let traffic = fixture.gateway.status().traffic;
    assert_eq!((traffic.exact_asked, traffic.exact_alone), (2, 4));
    // It comes back with nothing.
    redis.restart().unwrap();
    counts(&fixture, &ExactCount::Redis).await;
    assert_eq!(client.ask(GET).await.status, 200);
    assert_eq!(fixture.gateway.status().traffic.exact_asked, 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_hangs_holds_a_request_no_longer_than_the_timeout() {
    let (redis, backend) = (Redis::start().unwrap(), Backend::named("svc").await);
    let mut limits = exact(1000, json!({}));
    limits["targetRefs"] = json!([{"kind": "Service", "name": "svc"}]);
    // Tried and enforced at once: still one wait.
    let tried = json!({"mode": "DryRun", "rateLimit": {"rules": [{"name": "less", "requests": 5, "period": "1h", "scope": "Exact"}]}});
    let documents = vec![
        to_service("all", "/", "svc"),
        instance("svc", "one", backend.address),
        for_service("calm", 1, limits),
        for_service("trial", 2, tried),
    ];
    let timeout = Duration::from_millis(300);
    let fixture = Fixture::start(told(&redis, timeout), documents).await;
    counts(&fixture, &ExactCount::Redis).await;
    let mut clients = Vec::new();
    for _ in 0..20 {
        clients.push(fixture.client().await);
    }
    redis.hold().unwrap();
    let began = Instant::now();
    let mut asking = JoinSet::new();
    for mut client in clients {
        asking.spawn(async move { client.ask(GET).await.status });
    }
    assert_eq!(asking.join_all().await, [200; 20]);
    let took = began.elapsed();
    assert!(took >= timeout && took < 2 * timeout, "{took:?}");
    is_away(&fixture).await;
    let began = Instant::now();
    let mut client = fixture.client().await;
    for _ in 0..20 {
        assert_eq!(client.ask(GET).await.status, 200);
    }
    // Once by the worker that has not missed it yet, at most.
    assert!(began.elapsed() < 2 * timeout, "{:?}", began.elapsed());
    redis.go_on().unwrap();
    counts(&fixture, &ExactCount::Redis).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_only_tried_refuses_nobody_and_is_counted_by_all_together() {
    let (redis, backend) = (Redis::start().unwrap(), Backend::named("svc").await);
    let policy = || {
        let mut spec = exact(4, json!({}));
        spec["mode"] = json!("DryRun");
        for_service("trial", 1, spec)
    };
    let gateways = [
        counting(&redis, &backend, policy()).await,
        counting(&redis, &backend, policy()).await,
    ];
    for _ in 0..5 {
        for gateway in &gateways {
            assert_eq!(gateway.get("/").await.status, 200);
        }
    }
    until("what would have been refused is counted", async || {
        let counted = gateways.iter().map(|gateway| {
            let policies = gateway.gateway.status().traffic.policies;
            let counted = policies.get("default/trial").copied().unwrap_or_default();
            assert_eq!(counted.refused, 0);
            counted.would_have_refused
        });
        counted.sum::<u64>() == 6
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_redis_a_gateway_counts_for_itself_and_says_so() {
    let backend = Backend::named("svc").await;
    let policy = for_service("calm", 3, exact(2, json!({})));
    let mut fixture = with(options(), &backend, policy).await;
    let status = fixture.gateway.status();
    assert_eq!(
        (status.exact_limits, status.exact_count),
        (1, ExactCount::Unset)
    );
    let mut client = fixture.client().await;
    let mut statuses = Vec::new();
    for _ in 0..3 {
        statuses.push(client.ask(GET).await.status);
    }
    assert_eq!(statuses, [200, 200, 429]);
    assert_eq!(fixture.gateway.status().traffic.exact_alone, 3);
    fixture.put(for_service(
        "calm",
        4,
        json!({"rateLimit": {"enabled": false}}),
    ));
    fixture.in_effect().await;
    assert_eq!(fixture.gateway.status().exact_limits, 0);
}
