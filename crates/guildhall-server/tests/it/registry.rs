//! The registry: registration, health, maintenance, timelines, graph, impact, statistics.

use http::StatusCode;
use serde_json::json;

use crate::support::{Node, node, until};

async fn health(node: &Node, id: &str) -> String {
    let read = node.get(&format!("services/a/instances/{id}")).await.json();
    read["status"]["health"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

#[tokio::test]
async fn a_service_is_there_with_its_first_instance() {
    let node = node().await;
    let written = node.register("a", "i", "").await;
    let service = node
        .get(&format!(
            "services/a?minIndex={}",
            written.header("guildhall-index")
        ))
        .await;
    assert_eq!(service.status, StatusCode::OK);
    assert_eq!(
        health(&node, "i").await,
        "healthy",
        "without checks it is healthy at once"
    );
    node.platform.stop().await;
}

#[tokio::test]
async fn heartbeats_and_reports_move_an_instance() {
    let node = node().await;
    node.register("a", "i", r#", "checks": [{"type": "ttl", "ttl": "30s"}, {"name": "disk", "type": "ttl", "ttl": "60s"}]"#).await;
    until("starting", async || {
        (health(&node, "i").await == "starting").then_some(())
    })
    .await;
    let beat = node.put("services/a/instances/i/heartbeat", "").await;
    assert_eq!(beat.status, StatusCode::OK, "{beat:?}");
    assert_eq!(beat.json()["ttl"], "30s", "the shortest");
    until("healthy", async || {
        (health(&node, "i").await == "healthy").then_some(())
    })
    .await;
    let report = r#"{"state": "critical", "output": "full"}"#;
    assert_eq!(
        node.put("services/a/instances/i/checks/disk", report)
            .await
            .status,
        StatusCode::NO_CONTENT
    );
    until("unhealthy", async || {
        (health(&node, "i").await == "unhealthy").then_some(())
    })
    .await;

    let timeline = node.get("services/a/instances/i/timeline").await.json();
    let newest = &timeline["entries"][0];
    assert_eq!(
        (&newest["to"], &newest["check"], &newest["output"]),
        (&json!("unhealthy"), &json!("disk"), &json!("full"))
    );
    assert_eq!(
        (&timeline["service"], &timeline["id"]),
        (&json!("a"), &json!("i"))
    );

    let unknown = node.put("services/a/instances/i/checks/dsk", report).await;
    assert_eq!(unknown.problem(), "404 not-found");
    assert!(
        unknown.json()["detail"]
            .as_str()
            .unwrap()
            .contains("ttl, disk"),
        "{unknown:?}"
    );
    assert_eq!(
        node.put("services/a/instances/i/checks/disk", r#"{"state": "fine"}"#)
            .await
            .problem(),
        "422 invalid-document"
    );
    node.platform.stop().await;
}

#[tokio::test]
async fn maintenance_takes_an_instance_out_and_lets_it_back() {
    let node = node().await;
    node.register("a", "i", "").await;
    let out = node
        .put(
            "services/a/instances/i/maintenance",
            r#"{"enabled": true, "reason": "new disk"}"#,
        )
        .await;
    assert_eq!(out.status, StatusCode::NO_CONTENT, "{out:?}");
    let read = node
        .get(&format!(
            "services/a/instances/i?minIndex={}",
            out.header("guildhall-index")
        ))
        .await
        .json();
    assert_eq!(read["status"]["health"], "maintenance");
    assert_eq!(
        read["status"]["maintenance"],
        json!({"mode": "maintenance", "reason": "new disk", "by": "anonymous"})
    );
    let found = node.get("services/a/instances").await.json();
    assert_eq!(found["instances"], json!([]));
    let back = node
        .put(
            "services/a/instances/i/maintenance",
            r#"{"enabled": false}"#,
        )
        .await;
    let found = node
        .get(&format!(
            "services/a/instances?minIndex={}",
            back.header("guildhall-index")
        ))
        .await
        .json();
    assert_eq!(found["instances"][0]["metadata"]["name"], "i");
    node.platform.stop().await;
}

#[tokio::test]
async fn a_service_and_its_version_come_in_one_write() {
    let node = node().await;
    let body = json!({"spec": {
        "owner": "shop", "version": "1.0",
        "api": {"endpoints": [{"path": "/orders", "method": "GET"}]},
        "dependencies": ["users", {"service": "mail", "type": "asynchronous", "optional": true}],
    }});
    let written = node.put("services/orders", &body.to_string()).await;
    assert_eq!(written.status, StatusCode::CREATED, "{written:?}");
    assert_eq!(written.json()["kind"], "Service");
    let index = written.header("guildhall-index");
    let versions = node
        .get(&format!("services/orders/versions?minIndex={index}"))
        .await
        .json();
    assert_eq!(versions["items"][0]["metadata"]["name"], "orders/1.0");
    assert_eq!(
        versions["items"][0]["spec"]["dependencies"][1]["service"],
        "mail"
    );

    let graph = node.get("graph").await;
    let edges: Vec<String> = graph.json()["edges"]
        .as_array()
        .unwrap()
        .iter()
        .map(|edge| format!("{} {} {}", edge["from"], edge["to"], edge["type"]).replace('"', ""))
        .collect();
    assert_eq!(
        edges,
        ["orders mail asynchronous", "orders users synchronous"]
    );
    let impact = node.get("graph/impact/users").await.json();
    assert_eq!(impact["breaks"][0]["path"], json!(["orders", "users"]));

    // A change of the version that the service's part forbids leaves both as they are.
    let bad =
        json!({"spec": {"owner": "bank", "version": "1.0", "dependencies": ["users", "users"]}});
    assert_eq!(
        node.put("services/orders", &bad.to_string())
            .await
            .problem(),
        "422 invalid-document"
    );
    assert_eq!(
        node.get("services/orders").await.json()["spec"]["owner"],
        "shop"
    );
    node.platform.stop().await;
}

#[tokio::test]
async fn numbers_are_counted_per_namespace() {
    let node = node().await;
    node.register("a", "i1", "").await;
    node.register("a", "i2", "").await;
    let body = r#"{"spec": {"host": "h", "port": 1}}"#;
    let last = node
        .put("namespaces/other/services/b/instances/i", body)
        .await;
    let index = last.header("guildhall-index").to_owned();
    let here = node.get(&format!("stats?minIndex={index}")).await.json();
    assert_eq!(
        (&here["services"], &here["instances"]["healthy"]),
        (&json!(1), &json!(2))
    );
    let everywhere = node.get("namespaces/-/stats").await.json();
    assert_eq!(
        (&everywhere["services"], &everywhere["instances"]["total"]),
        (&json!(2), &json!(3))
    );
    let status = node.get("status").await.json();
    assert_eq!(
        (&status["ready"], &status["registry"]["services"]),
        (&json!(true), &json!(2))
    );
    assert_eq!(status["store"]["engine"], "embedded");
    assert_eq!(node.platform.status().registry.unwrap().instances.total, 3);
    node.platform.stop().await;
}
