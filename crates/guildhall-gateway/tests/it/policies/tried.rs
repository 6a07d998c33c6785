//! Policies in `DryRun`: everything passes, and what would have been refused is counted.

use serde_json::json;

use super::{GET, Moody, under};
use crate::support::{for_service, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_would_have_been_refused_passes_and_is_counted() {
    let moody = Moody::named("svc").await;
    moody.answers(500);
    let spec = json!({
        "mode": "DryRun",
        "circuitBreaker": {"minimumNumberOfCalls": 4, "waitDurationInOpenState": "1h", "maxWaitDurationInOpenState": "1h"},
    });
    let fixture = under(&[&moody.backend], vec![for_service("trial", 1, spec)]).await;
    let mut client = fixture.client().await;
    for _ in 0..10 {
        assert_eq!(client.ask(GET).await.status, 500);
    }
    assert_eq!(moody.backend.requests(), 10);
    until("it is counted", async || {
        let policies = fixture.gateway.status().traffic.policies;
        policies
            .get("default/trial")
            .is_some_and(|counted| (counted.refused, counted.would_have_refused) == (0, 6))
    })
    .await;
}
