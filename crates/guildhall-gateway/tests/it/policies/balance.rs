//! Which instance takes a request: outlier detection, and the balancer that a policy names.

use serde_json::json;

use super::{GET, Moody, under};
use crate::support::{Backend, for_service, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_instance_that_fails_is_ejected_and_probed_back() {
    let (well, ill) = (Moody::named("well").await, Moody::named("ill").await);
    ill.answers(500);
    let spec = json!({"outlierDetection": {
        "consecutiveFailures": 3,
        "baseEjectionTime": "300ms",
        "maxEjectionPercent": 50,
    }});
    let fixture = under(
        &[&well.backend, &ill.backend],
        vec![for_service("calm", 1, spec)],
    )
    .await;
    let mut client = fixture.client().await;
    until("it is ejected", async || {
        let before = ill.backend.requests();
        for _ in 0..20 {
            client.ask(GET).await;
        }
        before >= 3 && ill.backend.requests() == before
    })
    .await;
    ill.answers(200);
    until("it is back", async || client.ask(GET).await.text() == "ill").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_go_in_turns_or_by_what_they_are_known_by() {
    let (a, b) = (Backend::named("a").await, Backend::named("b").await);
    let turns = json!({"loadBalancer": {"type": "RoundRobin"}});
    let mut fixture = under(&[&a, &b], vec![for_service("calm", 1, turns)]).await;
    let mut client = fixture.client().await;
    for _ in 0..40 {
        client.ask(GET).await;
    }
    assert_eq!((a.requests(), b.requests()), (20, 20));

    let hashed = json!({"loadBalancer": {"type": "Maglev", "consistentHash": {"type": "Header", "name": "x-user"}}});
    fixture.put(for_service("calm", 2, hashed));
    fixture.in_effect().await;
    let mut seen = std::collections::BTreeSet::new();
    for user in 0..16 {
        let request = format!("GET / HTTP/1.1\r\nHost: a\r\nX-User: u{user}\r\n\r\n");
        let first = client.ask(&request).await.text().to_owned();
        for _ in 0..4 {
            assert_eq!(client.ask(&request).await.text(), first);
        }
        seen.insert(first);
    }
    assert_eq!(seen.len(), 2, "users are spread");
}
