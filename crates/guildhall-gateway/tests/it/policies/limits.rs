//! Rate limits, bulkheads, adaptive limits.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::Notify;

use super::{GET, shown, under};
use crate::support::{
    Backend, Fixture, for_service, instance, ok, options, policy, route, soon, until,
};

fn limit(requests: u32, more: Value) -> Value {
    let mut rule = json!({"name": "all", "requests": requests, "period": "1h"});
    for (field, value) in more.as_object().unwrap() {
        rule[field] = value.clone();
    }
    json!({"rateLimit": {"rules": [rule]}})
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_are_told_where_they_stand_and_refused_when_it_is_too_much() {
    let backend = Backend::named("svc").await;
    let policy = for_service("calm", 3, limit(2, json!({})));
    let mut fixture = under(&[&backend], vec![policy]).await;
    let mut client = fixture.client().await;
    for left in [1, 0] {
        let answer = client.ask(GET).await;
        assert_eq!(answer.status, 200);
        assert_eq!(
            answer.header("ratelimit-policy"),
            Some("\"all\";q=2;w=3600")
        );
        let standing = answer.header("ratelimit").unwrap();
        assert!(
            standing.starts_with(&format!("\"all\";r={left};t=")),
            "{standing}"
        );
    }
    let refused = client.ask(GET).await;
    assert_eq!(shown(&refused), (429, "rate_limited"));
    assert!(
        refused
            .reason()
            .ends_with("; policy=default/calm; policy-revision=3")
    );
    assert_eq!(refused.header("retry-after"), Some("1800"));
    assert_eq!(refused.header("ratelimit"), Some("\"all\";r=0;t=1800"));
    assert_eq!(refused.json()["code"], "rate-limited");
    assert_eq!(backend.requests(), 2);

    // What is used up stays used up over an edit.
    fixture.put(for_service("calm", 4, limit(3, json!({}))));
    fixture.in_effect().await;
    assert_eq!(client.ask(GET).await.status, 200);
    assert_eq!(client.ask(GET).await.status, 429);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_key_has_a_count_of_its_own() {
    let backend = Backend::named("svc").await;
    let keyed = limit(1, json!({"key": {"type": "Header", "name": "x-tenant"}}));
    let fixture = under(&[&backend], vec![for_service("calm", 1, keyed)]).await;
    let ask = async |tenant: &str| {
        let request = format!("GET / HTTP/1.1\r\nHost: a\r\nX-Tenant: {tenant}\r\n\r\n");
        fixture.ask(&request).await.status
    };
    assert_eq!(
        (ask("a").await, ask("a").await, ask("b").await),
        (200, 429, 200)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_route_and_its_rule_have_limits_of_their_own() {
    let backend = Backend::named("svc").await;
    let rule = |name: &str, path: &str| json!({"name": name, "matches": [{"path": {"value": path}}], "backendRefs": [{"name": "svc"}]});
    let documents = vec![
        route("shop", json!({"rules": [rule("a", "/a"), rule("b", "/b")]})),
        instance("svc", "one", backend.address),
        policy("narrow", 1, &{
            let mut spec = limit(1, json!({}));
            spec["targetRefs"] = json!([{"kind": "HTTPRoute", "name": "shop", "sectionName": "a"}]);
            spec
        }),
        policy("edge", 2, &{
            let mut spec = limit(2, json!({}));
            spec["targetRefs"] = json!([{"kind": "Gateway", "name": "default"}]);
            spec
        }),
    ];
    let fixture = Fixture::start(options(), documents).await;
    let status = async |path: &str| fixture.get(path).await.status;
    assert_eq!((status("/a").await, status("/a").await), (200, 429));
    assert_eq!(
        (status("/b").await, status("/b").await, status("/b").await),
        (200, 200, 429)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_lets_requests_wait() {
    let backend = Backend::named("svc").await;
    let rule = json!({"name": "paced", "requests": 100, "period": "1s", "algorithm": "LeakyQueue", "maxWait": "1s"});
    let spec = json!({"rateLimit": {"rules": [rule]}});
    let fixture = under(&[&backend], vec![for_service("calm", 1, spec)]).await;
    let began = std::time::Instant::now();
    let mut client = fixture.client().await;
    for _ in 0..6 {
        assert_eq!(client.ask(GET).await.status, 200);
    }
    assert!(began.elapsed().as_millis() >= 50);
}

/// Sends the head of an answer, and its body when it is told to.
async fn slow_body(go: Arc<Notify>) -> Backend {
    Backend::raw(move |_, mut client| {
        let go = Arc::clone(&go);
        async move {
            while client.read(false).await.is_ok() {
                client
                    .send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n")
                    .await;
                go.notified().await;
                client.send("done").await;
            }
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_place_is_held_until_the_body_ends() {
    let go = Arc::new(Notify::new());
    let backend = slow_body(Arc::clone(&go)).await;
    let spec = json!({"bulkhead": {"maxConcurrentCalls": 1}});
    let fixture = under(&[&backend], vec![for_service("calm", 9, spec)]).await;
    let mut first = fixture.client().await;
    first.send(GET).await;
    until("the head has come", async || {
        first.fill().await.is_ok() && crate::support::find(&first.buffer, b"\r\n\r\n").is_some()
    })
    .await;
    let refused = fixture.get("/").await;
    assert_eq!(shown(&refused), (503, "bulkhead_full"));
    assert!(
        refused
            .reason()
            .ends_with("; policy=default/calm; policy-revision=9")
    );
    assert_eq!(refused.json()["code"], "overloaded");
    go.notify_one();
    assert_eq!(soon(first.read(false)).await.unwrap().text(), "done");
    let mut next = fixture.client().await;
    next.send(GET).await;
    go.notify_one();
    assert_eq!(soon(next.read(false)).await.unwrap().text(), "done");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_for_a_place_gets_it_when_one_is_free() {
    let go = Arc::new(Notify::new());
    let backend = slow_body(Arc::clone(&go)).await;
    let spec = json!({"bulkhead": {"maxConcurrentCalls": 1, "maxPendingRequests": 1, "maxWaitDuration": "20s"}});
    let fixture = under(&[&backend], vec![for_service("calm", 1, spec)]).await;
    let mut first = fixture.client().await;
    first.send(GET).await;
    until("the first is there", async || backend.connections() == 1).await;
    let mut second = fixture.client().await;
    second.send(GET).await;
    until("the second waits", async || {
        fixture.gateway.status().traffic.requests_running == 2
    })
    .await;
    let third = fixture.get("/").await;
    assert_eq!(shown(&third), (503, "bulkhead_full"), "the queue is full");
    go.notify_one();
    assert_eq!(soon(first.read(false)).await.unwrap().text(), "done");
    go.notify_one();
    assert_eq!(soon(second.read(false)).await.unwrap().text(), "done");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_more_requests_run_than_the_adaptive_limit_allows() {
    let go = Arc::new(Notify::new());
    let waits = Arc::clone(&go);
    let backend = Backend::raw(move |_, mut client| {
        let go = Arc::clone(&waits);
        async move {
            while client.read(false).await.is_ok() {
                go.notified().await;
                client.send(ok("done")).await;
            }
        }
    })
    .await;
    let spec = json!({"adaptiveConcurrency": {"minConcurrency": 1, "initialConcurrency": 1, "maxConcurrency": 1}});
    let fixture = under(&[&backend], vec![for_service("calm", 2, spec)]).await;
    let mut first = fixture.client().await;
    first.send(GET).await;
    until("the backend is asked", async || backend.connections() == 1).await;
    let refused = fixture.get("/").await;
    assert_eq!(shown(&refused), (503, "concurrency_limited"));
    assert!(
        refused
            .reason()
            .ends_with("; policy=default/calm; policy-revision=2")
    );
    go.notify_one();
    assert_eq!(soon(first.read(false)).await.unwrap().text(), "done");
}
