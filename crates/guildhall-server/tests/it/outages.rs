//! Gateway nodes under policies: what they report, and what a kill of them or of the control node leaves in force.

use std::{
    net::SocketAddr,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use http::StatusCode;
use serde_json::{Value, json};

use crate::{
    cli::{command_at, done},
    gateway::{backend, control_node, gateway_node, moody, publish},
    process::Process,
    support::{Answer, send, until},
};

async fn put(api: SocketAddr, name: &str, section: Value) {
    let mut spec = json!({"targetRefs": [{"kind": "Service", "name": "hello"}]});
    spec.as_object_mut()
        .unwrap()
        .extend(section.as_object().unwrap().clone());
    let (path, body) = (format!("policies/{name}"), json!({"spec": spec}));
    let answer = send(api, "PUT", &path, &[], &body.to_string()).await;
    assert!(answer.status.is_success(), "{answer:?}");
}

async fn ask(gateway: SocketAddr) -> Answer {
    send(gateway, "GET", "/hello", &[], "").await
}

/// The policy that a refusal names.
fn named(refused: &Answer) -> String {
    let name = &refused.json()["policy"]["name"];
    name.as_str().unwrap_or_default().to_owned()
}

/// Opens after six failures, not before.
fn six() -> Value {
    json!({
        "minimumNumberOfCalls": 6,
        "waitDurationInOpenState": "1h",
        "maxWaitDurationInOpenState": "1h",
    })
}

#[tokio::test]
async fn a_node_far_away_reports_and_its_breaker_is_reset() {
    let (control_folder, gateway_folder) =
        (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let control = control_node(control_folder.path()).await;
    let api = control.addresses().api.unwrap();
    let url = format!("http://{api}");
    let node = gateway_node(gateway_folder.path(), &url).await;
    let gateway = node.addresses().gateway.unwrap();
    let fails = Arc::new(AtomicBool::new(true));
    publish(api, moody("hello", Arc::clone(&fails)).await).await;
    put(api, "six", json!({"circuitBreaker": six()})).await;
    until("the breaker", async || {
        let answer = ask(gateway).await;
        (answer.status == StatusCode::SERVICE_UNAVAILABLE).then(|| named(&answer) == "six")
    })
    .await;

    let row = async |state: &str, counted: u64| {
        until(state, async || {
            let rows = send(api, "GET", "breakers?service=hello", &[], "").await;
            let row = rows.json()["items"][0].clone();
            (row["state"] == state && row["window"]["total"] == counted).then_some(row)
        })
        .await
    };
    let reset = async || {
        let reset = ["breakers", "reset", "hello"];
        let done = done(&mut command_at(&url, &reset)).await;
        assert_eq!(done.code, 0, "{}{}", done.out, done.error);
    };
    let open = row("OPEN", 0).await;
    assert_eq!(open["caller"]["kind"], "gateway", "{open}");
    let instance = open["caller"]["instance"].as_str().unwrap();
    assert!(
        instance.ends_with(&format!(":{}", gateway.port())),
        "{open}"
    );
    assert_eq!(open["statistics"]["failed"], 6, "{open}");
    reset().await;
    row("CLOSED", 0).await;

    // A breaker that is closed loses what it has counted: five more are not too many.
    for _ in 0..3 {
        assert_eq!(ask(gateway).await.status, 500);
    }
    row("CLOSED", 3).await;
    reset().await;
    row("CLOSED", 0).await;
    for _ in 0..5 {
        assert_eq!(ask(gateway).await.status, 500);
    }
    fails.store(false, Ordering::SeqCst);
    assert_eq!(ask(gateway).await.status, StatusCode::OK);

    node.stop().await;
    let rows = send(api, "GET", "breakers", &[], "").await;
    assert_eq!(rows.json()["items"], json!([]), "it said farewell");
    control.stop().await;
}

#[tokio::test]
async fn what_a_gateway_has_counted_outlives_the_control_process() {
    let (control_folder, gateway_folder) =
        (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let control = Process::start(control_folder.path(), &[]).await;
    let api = control.api.parse().unwrap();
    let node = gateway_node(gateway_folder.path(), &format!("http://{api}")).await;
    let gateway = node.addresses().gateway.unwrap();
    publish(api, moody("hello", Arc::new(AtomicBool::new(true))).await).await;
    let limit = json!({"rules": [{"name": "nine", "requests": 9, "period": "1h", "burst": 9}]});
    put(
        api,
        "held",
        json!({"circuitBreaker": six(), "rateLimit": limit}),
    )
    .await;
    // The first request under the policy: one of nine, one of six.
    until("the policy", async || {
        ask(gateway)
            .await
            .headers
            .contains_key("ratelimit-policy")
            .then_some(())
    })
    .await;
    for _ in 0..2 {
        assert_eq!(ask(gateway).await.status, 500);
    }
    control.kill().await;
    until("the node to notice", async || {
        let status = node.status();
        status.roles[0]
            .detail
            .contains("the control plane is away")
            .then_some(())
    })
    .await;

    let mut seen = Vec::new();
    for _ in 0..7 {
        let answer = ask(gateway).await;
        let refused = answer.status != StatusCode::INTERNAL_SERVER_ERROR;
        assert!(!refused || named(&answer) == "held", "{answer:?}");
        seen.push(answer.status.as_u16());
    }
    assert_eq!(seen, [500, 500, 500, 503, 503, 503, 429]);
    node.stop().await;
}

/// Whether a copy on disk holds what is sought.
fn holds(file: &Path, sought: &str) -> bool {
    let bytes = std::fs::read(file).unwrap_or_default();
    bytes
        .windows(sought.len())
        .any(|window| window == sought.as_bytes())
}

#[tokio::test]
async fn a_killed_gateway_has_its_policies_back_at_once_without_the_control_plane() {
    let (control_folder, gateway_folder) =
        (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let control = Process::start(control_folder.path(), &[]).await;
    let api = control.api.parse().unwrap();
    let url = format!("http://{api}");
    let node = Process::gateway(gateway_folder.path(), &url).await;
    publish(api, backend("hello").await).await;
    let force =
        json!({"state": "FORCED_OPEN", "until": "2100-01-01T00:00:00Z", "reason": "a move"});
    put(api, "a-move", json!({"circuitBreaker": {"force": force}})).await;
    let at = |node: &Process| node.gateway.as_deref().unwrap().parse().unwrap();
    until("the policy", async || {
        let answer = ask(at(&node)).await;
        (answer.status == StatusCode::SERVICE_UNAVAILABLE && named(&answer) == "a-move")
            .then_some(())
    })
    .await;
    until("the copy on disk", async || {
        holds(&gateway_folder.path().join("gateway.cache"), "a-move").then_some(())
    })
    .await;
    control.kill().await;
    node.kill().await;

    let node = Process::gateway(gateway_folder.path(), &url).await;
    // It takes requests before its copy is read, and has no routes then.
    until("the policy, from the copy", async || {
        let answer = ask(at(&node)).await;
        assert!(!answer.status.is_success(), "it passed: {answer:?}");
        let refused = answer.status == StatusCode::SERVICE_UNAVAILABLE;
        (refused && named(&answer) == "a-move").then_some(())
    })
    .await;
    node.kill().await;
}
