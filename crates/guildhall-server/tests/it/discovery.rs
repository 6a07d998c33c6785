//! Discovery: the filters, the threshold, and answers that are kept and still right.

use serde_json::{Value, json};

use crate::support::{Node, node};

fn ids(found: &Value) -> Vec<&str> {
    found["instances"]
        .as_array()
        .unwrap()
        .iter()
        .map(|instance| instance["metadata"]["name"].as_str().unwrap())
        .collect()
}

async fn check(node: &Node, query: &str, expect: &[&str]) {
    let found = node
        .get(&format!("services/a/instances?{query}"))
        .await
        .json();
    assert_eq!(ids(&found), expect, "{query}");
}

#[tokio::test]
async fn filters_narrow_and_near_sorts() {
    let node = node().await;
    node.register("a", "i1", r#", "zone": "z1", "region": "r", "version": "1", "tags": ["x", "y"], "metadata": {"rack": "7 b"}"#).await;
    node.register(
        "a",
        "i2",
        r#", "zone": "z2", "region": "r", "version": "2", "tags": ["x"]"#,
    )
    .await;
    let last = node
        .register(
            "a",
            "i3",
            r#", "checks": [{"type": "ttl", "ttl": "60s", "initialStatus": "critical"}]"#,
        )
        .await;
    node.get(&format!(
        "services/a?minIndex={}",
        last.header("guildhall-index")
    ))
    .await;
    check(&node, "", &["i1", "i2"]).await;
    check(&node, "healthy=true", &["i1", "i2"]).await;
    check(&node, "healthy=false", &["i1", "i2", "i3"]).await;
    check(&node, "tag=x&tag=y", &["i1"]).await;
    check(&node, "zone=z2", &["i2"]).await;
    check(&node, "region=r&version=1", &["i1"]).await;
    check(&node, "metadata.rack=7+b", &["i1"]).await;
    check(&node, "metadata.rack=8", &[]).await;
    check(&node, "near=z2", &["i2", "i1"]).await;
    let nothing = node.get("services/nobody/instances").await.json();
    assert_eq!(nothing["instances"], json!([]));
    node.platform.stop().await;
}

#[tokio::test]
async fn a_threshold_gives_all_rather_than_too_few() {
    let node = node().await;
    node.put("services/a", r#"{"spec": {"protectionThreshold": 0.5}}"#)
        .await;
    let bad = r#", "checks": [{"type": "ttl", "ttl": "60s", "initialStatus": "critical"}]"#;
    node.register("a", "i1", "").await;
    node.register("a", "i2", bad).await;
    let last = node.register("a", "i3", bad).await;
    let found = node
        .get(&format!(
            "services/a/instances?minIndex={}",
            last.header("guildhall-index")
        ))
        .await
        .json();
    assert_eq!(
        (ids(&found), &found["protected"]),
        (vec!["i1", "i2", "i3"], &json!(true))
    );
    node.platform.stop().await;
}

#[tokio::test]
async fn a_kept_answer_is_the_same_until_the_service_changes() {
    let node = node().await;
    let first = node.register("a", "i1", "").await;
    node.get(&format!(
        "services/a?minIndex={}",
        first.header("guildhall-index")
    ))
    .await;
    let one = node.get("services/a/instances?zone=").await;
    assert_eq!(
        one.problem(),
        "400 bad-request",
        "an empty filter is a mistake"
    );
    let one = node.get("services/a/instances").await;
    let two = node.get("services/a/instances").await;
    assert_eq!(
        (&one.body, one.header("guildhall-index")),
        (&two.body, two.header("guildhall-index"))
    );
    assert_ne!(one.header("x-request-id"), two.header("x-request-id"));

    let second = node.register("a", "i2", "").await;
    node.get(&format!(
        "services/a?minIndex={}",
        second.header("guildhall-index")
    ))
    .await;
    let three = node.get("services/a/instances").await;
    assert_eq!(ids(&three.json()), ["i1", "i2"]);
    assert_eq!(three.json()["index"], second.header("guildhall-index"));

    // The change of another service changes neither answer nor index.
    let other = node.register("b", "i", "").await;
    node.get(&format!(
        "services/b?minIndex={}",
        other.header("guildhall-index")
    ))
    .await;
    let four = node.get("services/a/instances").await;
    assert_eq!(
        (&three.body, three.header("guildhall-index")),
        (&four.body, four.header("guildhall-index"))
    );

    let gone = node.delete("services/a/instances/i1").await;
    node.get(&format!(
        "services/a?minIndex={}",
        gone.header("guildhall-index")
    ))
    .await;
    assert_eq!(ids(&node.get("services/a/instances").await.json()), ["i2"]);
    node.platform.stop().await;
}
