//! An HTTPRoute's own `retry`: over whatever policies say, within their budget.

use std::time::{Duration, Instant};

use guildhall_core::document::Document;
use serde_json::{Value, json};

use super::{GET, Moody};
use crate::support::{Fixture, for_service, instance, options, policy, route};

const POST: &str = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n";

fn retrying(retry: &Value) -> Document {
    let rule = json!({"backendRefs": [{"name": "svc"}], "retry": retry});
    route("all", json!({"rules": [rule]}))
}

async fn under(moody: &Moody, retry: &Value, policies: Vec<Document>) -> Fixture {
    let mut documents = vec![
        retrying(retry),
        instance("svc", "one", moody.backend.address),
    ];
    documents.extend(policies);
    Fixture::start(options(), documents).await
}

/// How often the service is asked for one request that it answers with `status`.
async fn attempts(fixture: &Fixture, moody: &Moody, request: &str, status: u16) -> usize {
    moody.answers(status);
    let before = moody.backend.requests();
    assert_eq!(fixture.ask(request).await.status, status);
    moody.backend.requests() - before
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_route_retries_without_any_policy() {
    let moody = Moody::named("svc").await;
    let retry = json!({"codes": [500, 409, 429], "attempts": 3, "backoff": "0s"});
    let mut fixture = under(&moody, &retry, Vec::new()).await;
    for (request, status, expected) in [
        (GET, 500, 4),
        (GET, 409, 4),
        (GET, 503, 1),
        (GET, 404, 1),
        // Done twice, it might do harm; turned away, it was not begun with.
        (POST, 500, 1),
        (POST, 429, 4),
    ] {
        let seen = attempts(&fixture, &moody, request, status).await;
        assert_eq!(seen, expected, "{request} {status}");
    }
    assert_eq!(fixture.gateway.status().traffic.retries, 9);

    fixture.put(retrying(&json!({"attempts": 1, "backoff": "0s"})));
    fixture.in_effect().await;
    assert_eq!(attempts(&fixture, &moody, GET, 503).await, 2);
    assert_eq!(attempts(&fixture, &moody, GET, 500).await, 1);
    fixture.put(retrying(&Value::Null));
    fixture.in_effect().await;
    assert_eq!(attempts(&fixture, &moody, GET, 503).await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_field_wins_over_that_of_the_policies() {
    let moody = Moody::named("svc").await;
    let back_off = json!({"baseInterval": "0s"});
    let says = json!({"retry": {"attempts": 4, "retryOn": ["connect"], "backOff": back_off}});
    let mut fixture = under(
        &moody,
        &json!({"codes": [500]}),
        vec![for_service("calm", 1, says)],
    )
    .await;
    assert_eq!(attempts(&fixture, &moody, GET, 500).await, 5);
    // A policy on the route is less specific than the route's own word, too.
    let on_route = json!({
        "targetRefs": [{"kind": "HTTPRoute", "name": "all"}], "retry": {"attempts": 2},
    });
    fixture.put(policy("route", 2, &on_route));
    fixture.in_effect().await;
    assert_eq!(attempts(&fixture, &moody, GET, 500).await, 3);
    let stated = json!({"codes": [500], "attempts": 1});
    fixture.put(retrying(&stated));
    fixture.in_effect().await;
    assert_eq!(attempts(&fixture, &moody, GET, 500).await, 2);
    assert_eq!(attempts(&fixture, &moody, GET, 503).await, 1);

    // Retries that a policy switches off are on for a route that asks for them.
    fixture.put(for_service("calm", 3, json!({"retry": {"enabled": false}})));
    fixture.in_effect().await;
    assert_eq!(attempts(&fixture, &moody, GET, 500).await, 2);
    fixture.put(retrying(&Value::Null));
    fixture.in_effect().await;
    assert_eq!(attempts(&fixture, &moody, GET, 503).await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_budget_bounds_what_a_route_asks_for() {
    let moody = Moody::named("svc").await;
    let budget = json!({"retry": {"budget": {"percent": 20, "minRetriesPerSecond": 0}}});
    let stated = json!({"codes": [503], "attempts": 9, "backoff": "0s"});
    let fixture = under(&moody, &stated, vec![for_service("calm", 1, budget)]).await;
    moody.answers(503);
    let mut client = fixture.client().await;
    for _ in 0..50 {
        assert_eq!(client.ask(GET).await.status, 503);
    }
    assert_eq!(moody.backend.requests(), 60, "a fifth more");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_attempt_comes_sooner_than_the_backoff() {
    let moody = Moody::named("svc").await;
    let stated = json!({"codes": [503], "attempts": 2, "backoff": "40ms"});
    let fixture = under(&moody, &stated, Vec::new()).await;
    let began = Instant::now();
    assert_eq!(attempts(&fixture, &moody, GET, 503).await, 3);
    assert!(began.elapsed() >= Duration::from_millis(80));
}
