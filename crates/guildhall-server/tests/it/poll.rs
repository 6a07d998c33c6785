//! Long polls: when they answer and with which index.

use std::time::Duration;

use tokio::time::timeout;

use crate::support::{node, node_with};

#[tokio::test]
async fn a_poll_answers_when_something_in_its_scope_changes() {
    let node = node().await;
    let written = node.register("a", "i1", "").await;
    let path = format!(
        "services/a/instances?minIndex={}",
        written.header("guildhall-index")
    );
    let index = node.get(&path).await.json()["index"]
        .as_str()
        .unwrap()
        .to_owned();
    let poll = format!("services/a/instances?index={index}&wait=20s");
    let (polled, other) = tokio::join!(node.get(&poll), async {
        node.register("b", "i", "").await;
        node.register("a", "i2", "").await
    });
    assert_eq!(polled.json()["instances"].as_array().unwrap().len(), 2);
    assert_eq!(
        polled.header("guildhall-index"),
        other.header("guildhall-index")
    );
    // What happened before is news at once.
    let at_once = timeout(Duration::from_secs(10), node.get(&poll)).await;
    assert_eq!(at_once.unwrap().json()["index"], polled.json()["index"]);
    node.platform.stop().await;
}

#[tokio::test]
async fn a_poll_in_vain_answers_with_the_index_it_had() {
    let node = node_with(|builder| {
        builder.configure(|settings| settings.api.max_wait = "50ms".parse().unwrap())
    })
    .await;
    node.put("services/a", r#"{"spec": {}}"#).await;
    let index = node
        .get("services")
        .await
        .header("guildhall-index")
        .to_owned();
    // The wait is capped by the server; a document elsewhere is no news.
    node.put("httproutes/r", r#"{"spec": {}}"#).await;
    for path in [
        "services",
        "services/a",
        "stats",
        "graph",
        "services/a/versions",
        "services/a/instances",
    ] {
        let polled = node.get(&format!("{path}?index={index}&wait=1h")).await;
        assert_eq!(
            (polled.status.as_u16(), polled.header("guildhall-index")),
            (200, &*index),
            "{path}"
        );
    }
    node.platform.stop().await;
}

#[tokio::test]
async fn a_poll_of_another_history_answers_at_once() {
    let node = node().await;
    let written = node.put("services/a", r#"{"spec": {}}"#).await;
    let index = written.header("guildhall-index").to_owned();
    let (incarnation, _) = index.split_once('.').unwrap();
    for since in ["1.1".to_owned(), format!("{incarnation}.999999")] {
        let path = format!("services/a?index={since}&wait=1m");
        let polled = timeout(Duration::from_secs(10), node.get(&path))
            .await
            .unwrap();
        assert_eq!(polled.header("guildhall-index"), index, "{since}");
    }
    node.platform.stop().await;
}

#[tokio::test]
async fn a_deletion_raises_the_index() {
    let node = node().await;
    node.put("services/a", r#"{"spec": {}}"#).await;
    node.put("services/b", r#"{"spec": {}}"#).await;
    let before = node
        .get("services")
        .await
        .header("guildhall-index")
        .to_owned();
    let deleted = node.delete("services/a").await;
    let after = node.get(&format!("services?index={before}&wait=20s")).await;
    assert_eq!(
        after.header("guildhall-index"),
        deleted.header("guildhall-index")
    );
    node.platform.stop().await;
}
