//! The event stream: resuming, beginning anew, passing over what cannot be read.

use std::sync::Mutex;

use guildhall_api::{
    client::{ClientError, WatchScope},
    wire::{Code, Problem, Resync, WatchEvent},
};
use guildhall_core::document::{Kind, Namespace, ServiceName};

use crate::fake::{Events, Fake, Reply, at, problem, service, soon, stream};

/// A server that answers with these, one after the other.
async fn in_turn(replies: Vec<Reply>) -> Fake {
    let replies = Mutex::new(replies.into_iter());
    let over = || problem(&Problem::new(Code::NotReady, "the test has no more"));
    Fake::start(move |_| replies.lock().unwrap().next().unwrap_or_else(over)).await
}

fn scope() -> WatchScope {
    WatchScope {
        kinds: vec![Kind::Service, Kind::Instance],
        ..WatchScope::default()
    }
}

fn two() -> ((Events, Reply), (Events, Reply)) {
    (stream(), stream())
}

#[tokio::test]
async fn a_broken_stream_is_taken_up_where_it_was() {
    let ((first, reply_1), (second, reply_2)) = two();
    let fake = in_turn(vec![reply_1, reply_2]).await;
    let mut scope = scope();
    scope.namespace = Some(Namespace::default());
    scope.service = Some(ServiceName::new("user-service").unwrap());
    let mut watch = fake.client().watch(scope, None);
    first.send(None, &WatchEvent::Added(service("a")));
    first.send(Some(5), &WatchEvent::Bookmark);
    first.send(Some(6), &WatchEvent::Modified(service("a")));
    // Half of revision 7: it is told again.
    first.send(None, &WatchEvent::Added(service("b")));
    for expect in [None, Some(at(1, 5)), Some(at(1, 6)), None] {
        assert_eq!(soon("an event", watch.next()).await.unwrap().index, expect);
    }
    drop(first);
    let error = soon("the end", watch.next()).await.unwrap_err();
    assert!(
        matches!(error, ClientError::WatchEnded { .. }) && error.is_retryable(),
        "{error}"
    );
    second.send(None, &WatchEvent::Added(service("b")));
    second.send(Some(7), &WatchEvent::Added(service("c")));
    assert_eq!(
        soon("b", watch.next()).await.unwrap().event,
        WatchEvent::Added(service("b"))
    );
    assert_eq!(soon("c", watch.next()).await.unwrap().index, Some(at(1, 7)));
    let asked = fake.asked();
    assert_eq!(asked[0].path, "/api/v1/namespaces/default/watch");
    assert_eq!(
        asked[0].query,
        "kinds=services%2Cinstances&service=user-service"
    );
    assert_eq!(asked[0].header("last-event-id"), None);
    assert_eq!(asked[1].header("last-event-id"), Some("1.6"));
}

#[tokio::test]
async fn state_that_breaks_off_begins_anew() {
    let ((first, reply_1), (second, reply_2)) = two();
    let fake = in_turn(vec![reply_1, reply_2]).await;
    let mut watch = fake.client().watch(scope(), None);
    first.send(None, &WatchEvent::Added(service("gone")));
    soon("the first event", watch.next()).await.unwrap();
    drop(first);
    soon("the end", watch.next()).await.unwrap_err();
    second.send(None, &WatchEvent::Added(service("a")));
    let reason = "reconnected".to_owned();
    assert_eq!(
        soon("resync", watch.next()).await.unwrap().event,
        WatchEvent::Resync(Resync { reason })
    );
    assert_eq!(
        soon("a", watch.next()).await.unwrap().event,
        WatchEvent::Added(service("a"))
    );
    assert_eq!(fake.asked()[1].header("last-event-id"), None);
}

#[tokio::test]
async fn state_that_breaks_off_after_a_resync_begins_anew_too() {
    let ((first, reply_1), (second, reply_2)) = two();
    let fake = in_turn(vec![reply_1, reply_2]).await;
    let mut watch = fake.client().watch(scope(), Some(at(1, 4)));
    first.send(
        None,
        &WatchEvent::Resync(Resync {
            reason: "compacted".to_owned(),
        }),
    );
    first.send(None, &WatchEvent::Added(service("a")));
    soon("resync", watch.next()).await.unwrap();
    soon("a", watch.next()).await.unwrap();
    drop(first);
    soon("the end", watch.next()).await.unwrap_err();
    second.send(Some(9), &WatchEvent::Bookmark);
    assert!(matches!(
        soon("resync", watch.next()).await.unwrap().event,
        WatchEvent::Resync(_)
    ));
    assert_eq!(
        soon("bookmark", watch.next()).await.unwrap().index,
        Some(at(1, 9))
    );
    let asked = fake.asked();
    assert_eq!(asked[0].header("last-event-id"), Some("1.4"));
    assert_eq!(asked[1].header("last-event-id"), None);
}

#[tokio::test]
async fn what_cannot_be_read_is_passed_over_but_not_the_index_it_completes() {
    let (events, reply) = stream();
    let fake = in_turn(vec![reply]).await;
    let mut watch = fake.client().watch(scope(), None);
    events.raw(": keep-alive\n\nevent: added\ndata: {\"kind\": \"Teapot\", \"metadata\": {}, \"spec\": {}}\n\n");
    events.send(Some(3), &WatchEvent::Bookmark);
    events.raw("event: modified\nid: 1.4\ndata: {\"kind\": \"Teapot\"}\n\n");
    assert_eq!(
        soon("the bookmark", watch.next()).await.unwrap().index,
        Some(at(1, 3))
    );
    let item = soon("the index", watch.next()).await.unwrap();
    assert_eq!(
        (item.index, item.event),
        (Some(at(1, 4)), WatchEvent::Bookmark)
    );
    assert_eq!(watch.skipped(), 2);
}

#[tokio::test]
async fn a_refusal_is_told() {
    let fake = Fake::start(|_| {
        problem(&Problem::new(
            Code::Forbidden,
            "a read token for all namespaces is needed",
        ))
    })
    .await;
    let error = fake.client().watch(scope(), None).next().await.unwrap_err();
    assert!(error.code() == Some(Code::Forbidden) && !error.is_retryable());
}
