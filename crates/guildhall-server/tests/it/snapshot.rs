//! Snapshots: saved and restored while the platform runs.

use bytes::Bytes;
use http::StatusCode;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{Node, node, open, until};

#[tokio::test]
async fn a_restore_brings_back_what_was_and_tells_everyone() {
    let node = node().await;
    node.put("services/a", r#"{"spec": {"owner": "before"}}"#)
        .await;
    node.put("httproutes/r", r#"{"spec": {}}"#).await;
    let saved = open(node.api(), "GET", "snapshot", &[], "").await;
    let before = saved.headers()["guildhall-index"]
        .to_str()
        .unwrap()
        .to_owned();
    let snapshot = saved.into_body().collect().await.unwrap().to_bytes();

    let changed = node
        .put("services/a", r#"{"spec": {"owner": "after"}}"#)
        .await;
    node.put("services/b", r#"{"spec": {}}"#).await;
    let last = node
        .delete("httproutes/r")
        .await
        .header("guildhall-index")
        .to_owned();
    let mut events = node.stream("watch?kinds=services", &[]).await;
    assert_eq!(events.shorts(3).await, ["added a", "added b", "bookmark"]);

    let restored = restore(&node, snapshot.clone()).await;
    assert_eq!(restored.0, StatusCode::OK, "{restored:?}");
    let index = restored.1["index"].as_str().unwrap();
    assert_ne!(
        index.split_once('.').unwrap().0,
        before.split_once('.').unwrap().0,
        "another history"
    );
    assert_eq!(
        node.get("services/a").await.json()["spec"]["owner"],
        "before"
    );
    assert_eq!(node.get("services/b").await.problem(), "404 not-found");
    assert_eq!(node.get("httproutes/r").await.status, StatusCode::OK);

    assert_eq!(events.next().await, None, "a watch of the old history ends");
    let mut events = node
        .stream("watch?kinds=services", &[("last-event-id", &last)])
        .await;
    assert_eq!(events.shorts(3).await, ["resync", "added a", "bookmark"]);
    let stale = node
        .send(
            "PUT",
            "services/a",
            &[("if-match", changed.header("etag"))],
            r#"{"spec": {}}"#,
        )
        .await;
    assert_eq!(
        stale.problem(),
        "412 precondition-failed",
        "no ETag means two things"
    );
    assert_eq!(
        node.put("services/c", r#"{"spec": {}}"#).await.status,
        StatusCode::CREATED
    );
    node.platform.stop().await;
}

#[tokio::test]
async fn what_is_no_snapshot_changes_nothing() {
    let node = node().await;
    node.put("services/a", r#"{"spec": {}}"#).await;
    let whole = open(node.api(), "GET", "snapshot", &[], "")
        .await
        .into_body()
        .collect()
        .await
        .unwrap()
        .to_bytes();
    let half = whole.slice(..whole.len() / 2);
    for bad in [Bytes::new(), Bytes::from_static(b"nonsense"), half] {
        let (status, problem) = restore(&node, bad).await;
        assert_eq!(
            (status.as_u16(), problem["code"].as_str()),
            (400, Some("bad-request")),
            "{problem}"
        );
        assert_eq!(node.get("services/a").await.status, StatusCode::OK);
    }
    node.platform.stop().await;
}

#[tokio::test]
async fn a_restore_is_in_the_audit_file() {
    let node = node().await;
    node.put("services/a", r#"{"spec": {}}"#).await;
    let snapshot = saved(&node).await;
    assert_eq!(restore(&node, snapshot).await.0, StatusCode::OK);
    assert_eq!(
        restore(&node, Bytes::from_static(b"nonsense")).await.0,
        StatusCode::BAD_REQUEST
    );
    let lines = until("the records", async || {
        let text = std::fs::read_to_string(node.path().join("audit.jsonl")).ok()?;
        let lines: Vec<serde_json::Value> = text
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .filter(|line: &serde_json::Value| line["action"] == "restore")
            .collect();
        (lines.len() == 2).then_some(lines)
    })
    .await;
    assert_eq!(lines[0]["outcome"], "updated", "{lines:?}");
    assert!(
        lines[0]["principal"] == "anonymous" && lines[0]["requestId"].is_string(),
        "{lines:?}"
    );
    assert_eq!(lines[1]["outcome"], "failed", "{lines:?}");
    node.platform.stop().await;
}

#[tokio::test]
async fn snapshots_that_arrive_at_once_do_not_mix() {
    let node = node().await;
    node.put("services/first", r#"{"spec": {}}"#).await;
    let first = saved(&node).await;
    node.put("services/second", r#"{"spec": {}}"#).await;
    let second = saved(&node).await;

    let mut slow = tokio::net::TcpStream::connect(node.api()).await.unwrap();
    let head = format!(
        "POST /api/v1/snapshot HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        first.len()
    );
    slow.write_all(head.as_bytes()).await.unwrap();
    slow.write_all(&first[..100]).await.unwrap();
    until("the upload", async || {
        let entries = std::fs::read_dir(node.path()).unwrap();
        let name = |entry: std::fs::DirEntry| entry.file_name().into_string().unwrap();
        let mut names = entries.map(|entry| name(entry.unwrap()));
        names
            .any(|name| name.starts_with("restore.upload"))
            .then_some(())
    })
    .await;
    assert_eq!(restore(&node, second).await.0, StatusCode::OK);
    assert_eq!(node.get("services/second").await.status, StatusCode::OK);
    slow.write_all(&first[100..]).await.unwrap();
    let mut answer = String::new();
    slow.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert_eq!(node.get("services/second").await.problem(), "404 not-found");
    assert_eq!(node.get("services/first").await.status, StatusCode::OK);
    node.platform.stop().await;
}

async fn saved(node: &Node) -> Bytes {
    let saved = open(node.api(), "GET", "snapshot", &[], "").await;
    saved.into_body().collect().await.unwrap().to_bytes()
}

async fn restore(node: &Node, snapshot: Bytes) -> (StatusCode, serde_json::Value) {
    let stream = tokio::net::TcpStream::connect(node.api()).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    let request = http::Request::post("/api/v1/snapshot").header("host", "127.0.0.1");
    let answer = sender
        .send_request(request.body(Full::new(snapshot)).unwrap())
        .await
        .unwrap();
    let status = answer.status();
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&body).unwrap())
}
