//! Starting and stopping: what is refused at the start, what outlives the end.

use std::net::SocketAddr;

use guildhall_server::{Platform, settings::Role};
use http::StatusCode;
use serde_json::Value;

use crate::support::{node, send};

#[tokio::test]
async fn what_was_acknowledged_is_there_after_a_restart() {
    let node = node().await;
    let written = node.register("a", "i", "").await;
    let addresses: Value =
        serde_json::from_slice(&std::fs::read(node.path().join("addresses.json")).unwrap())
            .unwrap();
    assert_eq!(addresses["api"], node.api().to_string());
    node.platform.stop().await;
    let platform = Platform::builder()
        .data_dir(node.folder.path())
        .roles([Role::Control])
        .start()
        .await
        .unwrap();
    let at = platform.addresses().api.unwrap();
    let read = send(at, "GET", "services/a/instances/i", &[], "").await;
    assert_eq!(read.header("etag"), written.header("etag"));
    platform.stop().await;
    let audit = std::fs::read_to_string(node.folder.path().join("audit.jsonl")).unwrap();
    assert!(
        audit
            .lines()
            .any(|line| line.contains("\"anonymous\"") && line.contains("a/i")),
        "{audit}"
    );
}

#[tokio::test]
async fn a_stop_finishes_what_is_under_way_and_takes_nothing_new() {
    let node = node().await;
    node.post("locks/l/acquire", r#"{"owner": "one"}"#).await;
    let index = node.get("locks").await.header("guildhall-index").to_owned();
    let at = node.api();
    let path = format!("httproutes?index={index}&wait=1m");
    let poll = tokio::spawn(async move { send(at, "GET", &path, &[], "").await });
    crate::support::until("the poll", async || {
        let metrics = send(at, "GET", "/metrics", &[], "").await;
        String::from_utf8_lossy(&metrics.body)
            .contains("guildhall_watchers 3")
            .then_some(())
    })
    .await;
    node.platform.stop().await;
    let polled = poll.await.unwrap();
    assert!(
        [StatusCode::OK, StatusCode::SERVICE_UNAVAILABLE].contains(&polled.status),
        "{polled:?}"
    );
    assert!(tokio::net::TcpStream::connect(at).await.is_err());
}

#[tokio::test]
async fn two_nodes_cannot_share_a_directory_or_a_port() {
    let node = node().await;
    let second = Platform::builder()
        .data_dir(node.path())
        .roles([Role::Control])
        .start()
        .await;
    let error = second.err().unwrap().to_string();
    assert!(error.contains("in use by another node"), "{error}");
    let gateways = async || {
        let builder = Platform::builder()
            .roles([Role::Gateway])
            .control(["http://127.0.0.1:1"]);
        builder.data_dir(node.path()).start().await
    };
    let error = gateways().await.err().unwrap().to_string();
    assert!(error.contains("in use by another node"), "{error}");
    let elsewhere = tempfile::tempdir().unwrap();
    let second = Platform::builder()
        .data_dir(elsewhere.path())
        .roles([Role::Control])
        .api_listen(node.api())
        .start()
        .await;
    let error = second.err().unwrap().to_string();
    assert!(
        error.contains(&node.api().to_string()) && error.contains("api.listen"),
        "{error}"
    );
    node.platform.stop().await;
}

#[tokio::test]
async fn an_api_beyond_this_machine_needs_authentication() {
    let folder = tempfile::tempdir().unwrap();
    let everywhere = SocketAddr::from(([0, 0, 0, 0], 0));
    let builder = || {
        Platform::builder()
            .data_dir(folder.path())
            .roles([Role::Control])
            .api_listen(everywhere)
    };
    let error = builder().start().await.err().unwrap().to_string();
    for words in ["--token-file", "127.0.0.1", "--insecure"] {
        assert!(error.contains(words), "{error}");
    }
    let platform = builder()
        .configure(|settings| settings.server.insecure = true)
        .start()
        .await
        .unwrap();
    platform.stop().await;
}

#[tokio::test]
async fn more_connections_than_allowed_are_refused_with_words() {
    let node = crate::support::node_with(|builder| {
        builder.configure(|settings| settings.api.max_connections = 1)
    })
    .await;
    let held = node.stream("watch?kinds=services", &[]).await;
    let refused = node.get("services").await;
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(
        refused.json()["detail"]
            .as_str()
            .unwrap()
            .contains("api.max_connections")
    );
    drop(held);
    crate::support::until("room again", async || {
        (node.get("services").await.status == 200).then_some(())
    })
    .await;
    node.platform.stop().await;
}

#[tokio::test]
async fn a_node_describes_itself() {
    let node = node().await;
    assert_eq!(node.get("/healthz").await.json()["status"], "ok");
    assert_eq!(node.get("/readyz").await.json()["status"], "ok");
    let metrics = node.get("/metrics").await;
    assert!(
        metrics
            .header("content-type")
            .starts_with("application/openmetrics-text")
    );
    let text = String::from_utf8(metrics.body.to_vec()).unwrap();
    assert!(
        text.contains(
            r#"guildhall_api_requests_total{resource="healthz",method="GET",status="2xx"} 1"#
        ),
        "{text}"
    );
    assert!(text.ends_with("# EOF\n"));

    let served = node.get("/api/openapi.json").await;
    let committed = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../docs/reference/openapi.json"
    );
    let committed = std::fs::read_to_string(committed).unwrap_or_default();
    assert!(
        String::from_utf8_lossy(&served.body) == committed,
        "docs/reference/openapi.json is not what is served; write it anew: curl …/api/openapi.json > docs/reference/openapi.json"
    );
    node.platform.stop().await;
}
