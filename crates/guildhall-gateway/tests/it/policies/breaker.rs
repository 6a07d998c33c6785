//! The breaker: opens, says who and when, recovers, keeps its window over edits, obeys orders.

use std::time::Duration;

use guildhall_core::{document::Timestamp, source::Change};
use serde_json::{Value, json};

use super::{GET, Moody, shown, under};
use crate::support::{for_service, to_service, until};

fn breaker(wait: &str) -> Value {
    json!({"circuitBreaker": {
        "minimumNumberOfCalls": 4,
        "waitDurationInOpenState": wait,
        "openStateJitter": 0,
        "permittedNumberOfCallsInHalfOpenState": 2,
        "failuresToReopen": 1,
    }})
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_opens_and_the_refusal_names_policy_revision_and_time() {
    let moody = Moody::named("svc").await;
    moody.answers(500);
    let fixture = under(
        &[&moody.backend],
        vec![for_service("calm", 7, breaker("30s"))],
    )
    .await;
    let mut client = fixture.client().await;
    for _ in 0..4 {
        assert_eq!(client.ask(GET).await.status, 500);
    }
    let refused = client.ask(GET).await;
    assert_eq!(shown(&refused), (503, "circuit_open"));
    let reason = refused.reason();
    assert!(
        reason.contains("; service=default/svc;")
            && reason.ends_with("; policy=default/calm; policy-revision=7"),
        "{reason}"
    );
    assert_eq!(refused.header("retry-after"), Some("30"));
    let problem = refused.json();
    assert_eq!(
        (&problem["code"], &problem["policy"]),
        (
            &json!("circuit-open"),
            &json!({"namespace": "default", "name": "calm", "revision": 7})
        )
    );
    let detail = problem["detail"].as_str().unwrap();
    assert!(
        detail.starts_with(
            "rejected by breaker: policy default/calm (revision 7, on Service default/svc): try again in "
        ),
        "{detail}"
    );
    assert_eq!(moody.backend.requests(), 4, "an open breaker stops traffic");
    let traffic = fixture.gateway.status().traffic;
    assert_eq!(traffic.reasons["circuit_open"], 1);
    assert_eq!(traffic.policies["default/calm"].refused, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_closes_again_once_probes_succeed() {
    let moody = Moody::named("svc").await;
    moody.answers(503);
    let fixture = under(
        &[&moody.backend],
        vec![for_service("calm", 1, breaker("100ms"))],
    )
    .await;
    let mut client = fixture.client().await;
    until("the breaker opens", async || {
        shown(&client.ask(GET).await) == (503, "circuit_open")
    })
    .await;
    moody.answers(200);
    until("the service is asked again", async || {
        client.ask(GET).await.status == 200
    })
    .await;
    for _ in 0..20 {
        assert_eq!(client.ask(GET).await.status, 200);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn edits_of_policies_routes_and_instances_keep_the_window() {
    let moody = Moody::named("svc").await;
    moody.answers(500);
    let mut fixture = under(
        &[&moody.backend],
        vec![for_service("calm", 1, breaker("30s"))],
    )
    .await;
    let mut client = fixture.client().await;
    for _ in 0..3 {
        assert_eq!(client.ask(GET).await.status, 500);
    }
    let mut edited = breaker("20s");
    edited["timeouts"] = json!({"request": "3s"});
    fixture.change(vec![
        Change::Put(for_service("calm", 2, edited)),
        Change::Put(to_service("all", "/", "other")),
    ]);
    fixture.in_effect().await;
    fixture.put(to_service("all", "/", "svc"));
    fixture.put(crate::support::instance("svc", "i1", moody.backend.address));
    fixture.in_effect().await;
    assert_eq!(
        client.ask(GET).await.status,
        500,
        "the fourth failure opens it"
    );
    let refused = client.ask(GET).await;
    assert_eq!(shown(&refused), (503, "circuit_open"));
    assert_eq!(refused.header("retry-after"), Some("20"));
    assert!(refused.reason().ends_with("policy-revision=2"));

    // Another edit while it is open: it stays open.
    fixture.put(for_service("calm", 3, breaker("10s")));
    fixture.in_effect().await;
    assert_eq!(shown(&client.ask(GET).await), (503, "circuit_open"));
    // Without the policy nothing refuses.
    fixture.delete(for_service("calm", 3, breaker("10s")).key());
    fixture.in_effect().await;
    assert_eq!(client.ask(GET).await.status, 500);
    // Put back soon, the breaker is as it was.
    fixture.put(for_service("calm", 4, breaker("10s")));
    fixture.in_effect().await;
    assert_eq!(shown(&client.ask(GET).await), (503, "circuit_open"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_is_forced_open_for_a_while_and_disabled() {
    let moody = Moody::named("svc").await;
    let forced = |revision, state: &str| {
        let until = Timestamp::from_system(std::time::SystemTime::now() + Duration::from_secs(60));
        let mut spec = breaker("1s");
        spec["circuitBreaker"]["force"] =
            json!({"state": state, "until": until.to_string(), "reason": "rehearsal"});
        for_service("operator", revision, spec)
    };
    let mut fixture = under(&[&moody.backend], vec![forced(1, "FORCED_OPEN")]).await;
    let mut client = fixture.client().await;
    let refused = client.ask(GET).await;
    assert_eq!(shown(&refused), (503, "circuit_open"));
    assert_eq!(moody.backend.requests(), 0);

    fixture.put(forced(2, "DISABLED"));
    fixture.in_effect().await;
    moody.answers(500);
    for _ in 0..20 {
        assert_eq!(client.ask(GET).await.status, 500);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_answer_in_time_counts_by_the_policys_own_timeout() {
    let silent = crate::support::Backend::raw(|_, mut client| async move {
        let _ = client.read(false).await;
        std::future::pending::<()>().await;
    })
    .await;
    let mut spec = breaker("30s");
    spec["timeouts"] = json!({"backendRequest": "10ms"});
    let fixture = under(&[&silent], vec![for_service("calm", 5, spec)]).await;
    for _ in 0..4 {
        let late = fixture.get("/").await;
        assert_eq!(shown(&late), (504, "upstream_timeout"));
        assert!(
            late.reason()
                .ends_with("; policy=default/calm; policy-revision=5")
        );
    }
    assert_eq!(shown(&fixture.get("/").await), (503, "circuit_open"));
}
