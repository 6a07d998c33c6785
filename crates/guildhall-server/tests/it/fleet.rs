//! The fleet's breakers: reported, read, waited for, streamed, gone.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::timeout;

use crate::support::{Node, node, node_with, now};

fn report(sequence: u64, full: bool, state: &str, total: u64) -> Value {
    json!({
        "reporter": {"kind": "service", "namespace": "default", "name": "order-service", "instance": "o1"},
        "run": 7,
        "sequence": sequence,
        "full": full,
        "breakers": [{
            "target": {"namespace": "default", "service": "user-service"},
            "state": state,
            "since": "2026-01-01T00:00:00Z",
            "statistics": {"total": total, "successful": total, "failed": 0, "rejected": 0, "slow": 0},
            "window": {"total": total, "failed": 0, "slow": 0},
            "aFieldOfTomorrow": 1,
        }],
    })
}

async fn send(node: &Node, report: &Value) -> Value {
    let answer = node.post("reports", &report.to_string()).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

fn states(answer: &Value) -> Vec<String> {
    let row = |row: &Value| {
        format!(
            "{} -> {} {}",
            row["caller"]["name"].as_str().unwrap(),
            row["target"]["service"].as_str().unwrap(),
            row["state"].as_str().unwrap()
        )
    };
    answer["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(row)
        .collect()
}

#[tokio::test]
async fn what_is_reported_is_seen_at_once_and_counted() {
    let node = node().await;
    assert_eq!(
        send(&node, &report(2, false, "OPEN", 1)).await,
        json!({"full": true})
    );
    assert_eq!(
        send(&node, &report(3, true, "OPEN", 1)).await,
        json!({"full": false})
    );
    for (path, expect) in [
        ("breakers", 1),
        ("namespaces/-/breakers?caller=order-service", 1),
        ("breakers?service=user-service&state=OPEN", 1),
        ("breakers?state=CLOSED", 0),
        ("namespaces/shop/breakers", 0),
    ] {
        let answer = node.get(path).await;
        assert_eq!(states(&answer.json()).len(), expect, "{path}: {answer:?}");
        assert!(answer.headers.get("guildhall-index").is_none(), "{path}");
    }
    assert_eq!(
        node.get("breakers?state=AJAR").await.problem(),
        "400 bad-request"
    );
    let status = node.get("status").await.json();
    assert_eq!(status["fleet"]["states"], json!({"OPEN": 1}));
    assert_eq!(status["fleet"]["reporters"], 1);
    let metrics = node.get("/metrics").await;
    let metrics = String::from_utf8_lossy(&metrics.body);
    let series = r#"guildhall_breaker_state{caller_namespace="default",caller="order-service",namespace="default",service="user-service",subset="",state="OPEN"} 1"#;
    assert!(metrics.contains(series), "{metrics}");

    let mut farewell = report(4, true, "OPEN", 1);
    farewell["breakers"] = json!([]);
    send(&node, &farewell).await;
    assert_eq!(node.get("breakers").await.json()["items"], json!([]));
    node.platform.stop().await;
}

#[tokio::test]
async fn a_poll_answers_when_a_breaker_changes() {
    let node = node().await;
    send(&node, &report(1, true, "CLOSED", 1)).await;
    let index = node.get("breakers").await.json()["index"]
        .as_str()
        .unwrap()
        .to_owned();
    let poll = format!("breakers?index={index}&wait=20s");
    let opened = report(2, false, "OPEN", 2);
    let (polled, _) = tokio::join!(node.get(&poll), send(&node, &opened));
    assert_eq!(
        states(&polled.json()),
        ["order-service -> user-service OPEN"]
    );
    // An index of another memory is answered at once.
    let other = timeout(
        Duration::from_secs(10),
        node.get("breakers?index=1.1&wait=1m"),
    );
    assert_eq!(other.await.unwrap().json()["index"], polled.json()["index"]);
    node.platform.stop().await;
}

#[tokio::test]
async fn a_poll_in_vain_answers_with_the_index_it_had() {
    let node = node_with(|builder| {
        builder.configure(|settings| settings.api.max_wait = "50ms".parse().unwrap())
    })
    .await;
    send(&node, &report(1, true, "CLOSED", 1)).await;
    let before = node.get("breakers").await.json();
    let index = before["index"].as_str().unwrap();
    let after = node
        .get(&format!("breakers?index={index}&wait=1h"))
        .await
        .json();
    assert_eq!(after, before);
    node.platform.stop().await;
}

#[tokio::test]
async fn a_stream_tells_rows_and_their_changes() {
    let node = node().await;
    send(&node, &report(1, true, "CLOSED", 1)).await;
    let mut events = node.stream("breakers?watch=true", &[]).await;
    let mut next = async || {
        let event = events.next().await.unwrap();
        let state = event.data["state"].as_str().unwrap_or_default();
        (format!("{} {state}", event.name), event.id)
    };
    assert_eq!(next().await, ("added CLOSED".to_owned(), None));
    let (name, id) = next().await;
    assert_eq!(name, "bookmark ");
    let began = now();
    send(&node, &report(2, false, "OPEN", 2)).await;
    assert_eq!(next().await.0, "modified OPEN");
    assert!(began.elapsed() < Duration::from_secs(1));
    assert_eq!(next().await.0, "bookmark ");
    let mut farewell = report(3, true, "OPEN", 1);
    farewell["breakers"] = json!([]);
    send(&node, &farewell).await;
    assert_eq!(next().await.0, "deleted OPEN");

    let resumed = [("last-event-id", id.as_deref().unwrap())];
    let mut events = node.stream("breakers?watch=true", &resumed).await;
    assert_eq!(events.next().await.unwrap().name, "resync");
    node.platform.stop().await;
}

#[tokio::test]
async fn a_reporter_that_fell_silent_is_forgotten_and_tells_everything_when_it_is_back() {
    let node = node_with(|builder| {
        builder.configure(|settings| settings.fleet.silence = "1s".parse().unwrap())
    })
    .await;
    let mut events = node.stream("breakers?watch=true", &[]).await;
    assert_eq!(events.next().await.unwrap().name, "bookmark");
    send(&node, &report(1, true, "OPEN", 1)).await;
    let mut names = Vec::new();
    while names.last().is_none_or(|name| name != "deleted") {
        names.push(events.next().await.unwrap().name);
    }
    assert_eq!(names, ["added", "bookmark", "deleted"]);
    assert_eq!(node.get("breakers").await.json()["items"], json!([]));
    let status = node.get("status").await.json();
    assert_eq!(status["fleet"]["reporters"], 0, "{status}");
    assert_eq!(
        send(&node, &report(2, false, "OPEN", 2)).await,
        json!({"full": true})
    );
    send(&node, &report(3, true, "OPEN", 2)).await;
    assert_eq!(
        states(&node.get("breakers").await.json()),
        ["order-service -> user-service OPEN"]
    );
    node.platform.stop().await;
}

#[tokio::test]
async fn a_report_that_is_not_right_is_refused() {
    let node = node().await;
    let mut odd = report(1, true, "AJAR", 1);
    assert_eq!(
        node.post("reports", &odd.to_string()).await.problem(),
        "422 invalid-document"
    );
    odd["breakers"][0]["state"] = json!("OPEN");
    odd["breakers"] = json!(vec![odd["breakers"][0].clone(); 600]);
    assert_eq!(
        node.post("reports", &odd.to_string()).await.problem(),
        "422 invalid-document"
    );
    assert_eq!(node.post("reports", "").await.problem(), "400 bad-request");
    assert_eq!(node.get("limits").await.json(), json!({"items": []}));
    node.platform.stop().await;
}

/// A report of a limit that others hold to, too, as `change` has it.
fn shared(sequence: u64, change: impl FnOnce(&mut Value)) -> Value {
    let mut limit = json!({
        "kind": "rate-limit",
        "name": "all",
        "under": {"kind": "Service", "namespace": "default", "name": "user-service"},
        "passed": 7,
        "share": {"policy": {"namespace": "default", "name": "calm"}, "part": 0.4, "demand": 1.5},
    });
    change(&mut limit);
    let mut report = report(sequence, true, "CLOSED", 1);
    report["limits"] = json!([limit]);
    report
}

#[tokio::test]
async fn a_report_claims_what_its_reporters_policies_share_and_is_answered_its_part() {
    let node = node().await;
    let rules = json!([
        {"name": "all", "requests": 100, "period": "1s", "scope": "Shared"},
        {"name": "own", "requests": 100, "period": "1s"},
    ]);
    let policy = json!({"spec": {
        "targetRefs": [{"kind": "Service", "name": "user-service"}],
        "rateLimit": {"rules": rules},
    }});
    let put = node.put("policies/calm", &policy.to_string()).await;
    assert!(put.status.is_success(), "{put:?}");

    // What it held before the control plane started, it keeps.
    let answer = send(&node, &shared(1, |_| {})).await;
    let granted = json!({
        "policy": {"namespace": "default", "name": "calm"},
        "under": {"kind": "Service", "namespace": "default", "name": "user-service"},
        "name": "all",
        "part": 0.4,
    });
    assert_eq!(answer, json!({"full": false, "shares": [granted]}));
    let row = node.get("limits?service=user-service").await.json();
    assert_eq!(row["items"][0]["share"]["part"], 0.4);
    assert_eq!(row["items"][0]["share"]["demand"], 1.5);
    let seen = node.get("namespaces/default/limits").await.json();
    assert_eq!(seen, row);
    let status = node.get("status").await.json();
    assert_eq!(status["fleet"]["sharedLimits"], 1);

    for (sequence, why, pointer, other) in [
        (2, "no such policy", "/share/policy/name", "other"),
        (3, "no such rule", "/name", "some"),
        (4, "a rule that is not shared", "/name", "own"),
        (5, "no target of the policy", "/under/name", "order-service"),
    ] {
        let claim = shared(sequence, |limit| {
            *limit.pointer_mut(pointer).unwrap() = json!(other);
        });
        let answer = send(&node, &claim).await;
        assert_eq!(answer, json!({"full": false}), "{why}");
        let status = node.get("status").await.json();
        assert_eq!(status["fleet"]["sharedLimits"], 0, "{why}");
    }
    // A service has what is in its own namespace, a gateway serves all.
    let mut other = shared(1, |_| {});
    other["reporter"]["namespace"] = json!("shop");
    assert_eq!(send(&node, &other).await, json!({"full": false}));
    let mut gateway = shared(1, |_| {});
    gateway["reporter"] = json!({"kind": "gateway", "name": "edge", "instance": "g1"});
    let answer = send(&node, &gateway).await;
    assert_eq!(answer["shares"], json!([granted]));
    node.platform.stop().await;
}
