//! Event streams: all there is, then every change; resumed without a gap, or told to start over.

use crate::support::{node, node_with};

#[tokio::test]
async fn a_watch_tells_everything_and_then_every_change() {
    let node = node().await;
    node.register("a", "i1", "").await;
    let mut events = node.stream("watch?kinds=services,instances", &[]).await;
    assert_eq!(events.shorts(3).await, ["added a", "added i1", "bookmark"]);
    node.put("services/a", r#"{"spec": {"owner": "me"}}"#).await;
    let changed = events.next().await.unwrap();
    assert_eq!(
        (changed.short(), changed.data["spec"]["owner"].as_str()),
        ("modified a".to_owned(), Some("me"))
    );
    assert!(changed.id.is_some(), "the revision's last event");
    node.put("httproutes/r", r#"{"spec": {}}"#).await;
    node.delete("services/a/instances/i1").await;
    let deleted = events.next().await.unwrap();
    assert_eq!(deleted.short(), "deleted i1", "routes are not watched");
    assert_eq!(
        (deleted.data["kind"].as_str(), deleted.data["key"].as_str()),
        (Some("Instance"), Some("a/i1"))
    );
    node.platform.stop().await;
    assert_eq!(
        events.next().await,
        None,
        "the end of the server ends the stream in order"
    );
}

#[tokio::test]
async fn a_watch_resumes_where_it_broke_off() {
    let node = node().await;
    let mut events = node.stream("watch?kinds=services", &[]).await;
    let start = events.next().await.unwrap().id.unwrap();
    drop(events);
    node.put("services/a", r#"{"spec": {}}"#).await;
    node.put("services/b", r#"{"spec": {}}"#).await;
    let mut events = node
        .stream("watch?kinds=services", &[("last-event-id", &start)])
        .await;
    let first = events.next().await.unwrap();
    assert_eq!(first.short(), "added a");
    assert_eq!(events.next().await.unwrap().short(), "added b");
    // The header that browsers send by themselves wins over the parameter they were started with.
    let id = first.id.unwrap();
    let mut events = node
        .stream(
            &format!("watch?kinds=services&from={start}"),
            &[("last-event-id", &id)],
        )
        .await;
    assert_eq!(events.next().await.unwrap().short(), "added b");
    let mut events = node
        .stream(&format!("watch?kinds=services&from={id}"), &[])
        .await;
    assert_eq!(events.next().await.unwrap().short(), "added b");
    let mut lost = node.stream("watch?kinds=services&from=1.7", &[]).await;
    assert_eq!(
        lost.shorts(4).await,
        ["resync", "added a", "added b", "bookmark"]
    );
    node.platform.stop().await;
}

#[tokio::test]
async fn a_list_or_a_document_can_be_watched() {
    let node = node().await;
    node.put(
        "services/a",
        r#"{"metadata": {"labels": {"team": "x"}}, "spec": {}}"#,
    )
    .await;
    let mut list = node
        .stream("services?watch=true&labelSelector=team%3Dx", &[])
        .await;
    let mut one = node.stream("services/b?watch=true", &[]).await;
    assert_eq!(list.shorts(2).await, ["added a", "bookmark"]);
    assert_eq!(one.shorts(1).await, ["bookmark"]);
    node.put("services/b", r#"{"spec": {}}"#).await;
    node.put("services/a", r#"{"spec": {}}"#).await;
    assert_eq!(list.shorts(1).await, ["deleted a"], "it left the selector");
    assert_eq!(one.shorts(1).await, ["added b"]);
    node.platform.stop().await;
}

#[tokio::test]
async fn a_watch_of_instances_follows_the_filters_of_discovery() {
    let node = node().await;
    node.register("a", "i1", r#", "zone": "z1""#).await;
    node.register("a", "i2", r#", "zone": "z2""#).await;
    let mut all = node
        .stream("services/a/instances?watch=true&healthy=false", &[])
        .await;
    let mut used = node
        .stream("services/a/instances?watch=true&zone=z1", &[])
        .await;
    assert_eq!(all.shorts(3).await, ["added i1", "added i2", "bookmark"]);
    assert_eq!(used.shorts(2).await, ["added i1", "bookmark"]);
    node.put(
        "services/a/instances/i1/maintenance",
        r#"{"enabled": true}"#,
    )
    .await;
    assert_eq!(all.shorts(1).await, ["modified i1"]);
    let left = used.next().await.unwrap();
    assert_eq!(left.short(), "deleted i1");
    node.put(
        "services/a/instances/i1/maintenance",
        r#"{"enabled": false}"#,
    )
    .await;
    assert_eq!(used.shorts(1).await, ["added i1"]);

    // Whoever resumes may have seen i1, which the filter no longer lets through: it is told once more.
    node.put(
        "services/a/instances/i1/maintenance",
        r#"{"enabled": true}"#,
    )
    .await;
    used.next().await.unwrap();
    let mut resumed = node
        .stream(
            "services/a/instances?watch=true&zone=z1",
            &[("last-event-id", &left.id.unwrap())],
        )
        .await;
    assert_eq!(resumed.shorts(2).await, ["added i1", "deleted i1"]);
    node.platform.stop().await;
}

#[tokio::test]
async fn a_silent_watch_says_that_it_lives_and_how_far_it_is() {
    let node = node_with(|builder| {
        builder.configure(|settings| settings.api.watch_keepalive = "100ms".parse().unwrap())
    })
    .await;
    let mut events = node.stream("watch?kinds=httproutes", &[]).await;
    let first = events.next().await.unwrap().id.unwrap();
    node.put("services/a", r#"{"spec": {}}"#).await;
    let later = events.next().await.unwrap();
    assert_eq!(later.name, "bookmark", "nothing happened in its scope");
    assert_ne!(later.id.unwrap(), first);
    node.platform.stop().await;
}
