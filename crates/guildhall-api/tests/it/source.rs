//! The source: resuming, the copy on disk, states too empty to be true.

use std::{path::Path, time::Duration};

use guildhall_api::{
    client::{Client, ClientOptions, WatchScope},
    source::{DiskCache, Origin, RemoteSource, SourceOptions, SourceStatus},
    wire::{Resync, WatchEvent},
};
use guildhall_core::{
    document::{Document, Index, Kind},
    source::{Change, SnapshotSource, Update},
};
use tokio::sync::{mpsc, watch};

use crate::fake::{Asked, Events, Fake, Reply, Reserved, at, instance, service, soon, stream};

fn scope() -> WatchScope {
    WatchScope {
        kinds: vec![Kind::Service, Kind::Instance],
        ..WatchScope::default()
    }
}

/// A platform whose watches the test writes: each connection hands out its stream.
fn platform() -> (
    impl Fn(&Asked) -> Reply + Send + Sync + 'static,
    mpsc::UnboundedReceiver<Events>,
) {
    let (sender, streams) = mpsc::unbounded_channel();
    let handler = move |_: &Asked| {
        let (events, reply) = stream();
        let _ = sender.send(events);
        reply
    };
    (handler, streams)
}

fn tell(events: &Events, index: Index, documents: &[Document]) {
    for document in documents {
        events.send(None, &WatchEvent::Added(document.clone()));
    }
    events.send_at(index, &WatchEvent::Bookmark);
}

fn full(index: Option<Index>, documents: &[Document]) -> Option<Update> {
    Some(Update::Full {
        index,
        documents: documents.to_vec(),
    })
}

fn seed(path: &Path, index: Index, documents: &[Document]) {
    DiskCache::new(path, &scope())
        .store(index, documents)
        .unwrap();
}

async fn status_where(
    status: &mut watch::Receiver<SourceStatus>,
    what: impl FnMut(&SourceStatus) -> bool,
) -> SourceStatus {
    soon("the status", status.wait_for(what))
        .await
        .unwrap()
        .clone()
}

#[tokio::test]
async fn state_then_changes_over_a_broken_connection_and_a_resync() {
    let (handler, mut streams) = platform();
    let fake = Fake::start(handler).await;
    let mut source = RemoteSource::start(fake.client(), scope(), SourceOptions::default());
    let events = soon("a connection", streams.recv()).await.unwrap();
    tell(&events, at(1, 5), &[instance("u1"), service("a")]);
    assert_eq!(
        soon("full", source.next()).await,
        full(Some(at(1, 5)), &[service("a"), instance("u1")])
    );

    events.send(None, &WatchEvent::Added(instance("u2")));
    events.send(Some(6), &WatchEvent::Deleted((&instance("u1")).into()));
    let changes = vec![
        Change::Put(instance("u2")),
        Change::Deleted(instance("u1").key()),
    ];
    assert_eq!(
        soon("delta", source.next()).await,
        Some(Update::Delta {
            index: at(1, 6),
            changes
        })
    );

    drop(events);
    let events = soon("a connection", streams.recv()).await.unwrap();
    assert_eq!(fake.asked()[1].header("last-event-id"), Some("1.6"));
    events.send(Some(7), &WatchEvent::Modified(service("a")));
    let changes = vec![Change::Put(service("a"))];
    assert_eq!(
        soon("delta", source.next()).await,
        Some(Update::Delta {
            index: at(1, 7),
            changes
        })
    );

    events.send(
        None,
        &WatchEvent::Resync(Resync {
            reason: "overflow".to_owned(),
        }),
    );
    tell(&events, at(1, 9), &[instance("u3")]);
    assert_eq!(
        soon("full", source.next()).await,
        full(Some(at(1, 9)), &[instance("u3")])
    );
    source.stop().await;
}

#[tokio::test]
async fn a_start_without_the_control_plane_begins_with_the_copy() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deep/er/watch.cache");
    seed(&path, at(1, 5), &[service("a"), instance("u1")]);
    let reserved = Reserved::new();
    let client = Client::new(ClientOptions::new([reserved.url()])).unwrap();
    let mut source = RemoteSource::start(client, scope(), SourceOptions::cached(&path));
    assert_eq!(
        soon("the copy", source.next()).await,
        full(None, &[service("a"), instance("u1")])
    );
    let status = source.status().borrow().clone();
    assert_eq!(
        (status.origin, status.index, status.instances),
        (Origin::Disk, None, 1)
    );
    assert!(
        status
            .last_error
            .is_some_and(|error| error.contains("cannot reach"))
    );

    let (handler, mut streams) = platform();
    let _fake = Fake::serve(reserved.listen(), handler);
    let events = soon("a connection", streams.recv()).await.unwrap();
    tell(&events, at(1, 8), &[instance("u1"), instance("u2")]);
    assert_eq!(
        soon("full", source.next()).await,
        full(Some(at(1, 8)), &[instance("u1"), instance("u2")])
    );
    let status = status_where(&mut source.status(), |status| status.origin == Origin::Live).await;
    assert_eq!(
        (status.index, status.instances, status.last_error),
        (Some(at(1, 8)), 2, None)
    );
    source.stop().await;
    let cached = DiskCache::new(&path, &scope()).load().unwrap().unwrap();
    assert_eq!((cached.index, cached.documents.len()), (at(1, 8), 2));
}

#[tokio::test]
async fn the_copy_of_a_version_that_watched_fewer_kinds_is_started_from() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("watch.cache");
    seed(&path, at(1, 5), &[service("a"), instance("u1")]);
    let reserved = Reserved::new();
    let newer = WatchScope {
        kinds: vec![Kind::Instance, Kind::Policy, Kind::HttpRoute],
        ..scope()
    };
    let options = SourceOptions::cached(&path);
    let client = Client::new(ClientOptions::new([reserved.url()])).unwrap();
    let mut source = RemoteSource::start(client, newer, options);
    assert_eq!(
        soon("the copy", source.next()).await,
        full(None, &[instance("u1")])
    );
    source.stop().await;
}

#[tokio::test]
async fn a_control_plane_that_is_slow_does_not_hold_up_a_start() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("watch.cache");
    seed(&path, at(1, 5), &[instance("u1")]);
    let (handler, mut streams) = platform();
    let fake = Fake::start(handler).await;
    let options = SourceOptions {
        patience: Duration::from_millis(20),
        ..SourceOptions::cached(&path)
    };
    let mut source = RemoteSource::start(fake.client(), scope(), options);
    assert_eq!(
        soon("the copy", source.next()).await,
        full(None, &[instance("u1")])
    );
    let events = soon("a connection", streams.recv()).await.unwrap();
    tell(&events, at(1, 6), &[instance("u1")]);
    assert_eq!(
        soon("full", source.next()).await,
        full(Some(at(1, 6)), &[instance("u1")])
    );
}

#[tokio::test]
async fn a_damaged_copy_is_none_and_is_written_anew() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("watch.cache");
    seed(&path, at(1, 5), &[instance("u1")]);
    let mut bytes = std::fs::read(&path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&path, bytes).unwrap();

    let (handler, mut streams) = platform();
    let fake = Fake::start(handler).await;
    let mut source = RemoteSource::start(fake.client(), scope(), SourceOptions::cached(&path));
    let status = status_where(&mut source.status(), |status| status.last_error.is_some()).await;
    assert!(
        status
            .last_error
            .is_some_and(|error| error.contains("damaged"))
    );
    let events = soon("a connection", streams.recv()).await.unwrap();
    tell(&events, at(1, 6), &[instance("u2")]);
    assert_eq!(
        soon("full", source.next()).await,
        full(Some(at(1, 6)), &[instance("u2")])
    );
    source.stop().await;
    assert_eq!(
        DiskCache::new(&path, &scope())
            .load()
            .unwrap()
            .unwrap()
            .index,
        at(1, 6)
    );
    assert_private(&path);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

fn assert_private(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    assert_eq!(
        std::fs::metadata(path).unwrap().permissions().mode() & 0o777,
        0o600
    );
}

fn fleet(count: usize) -> Vec<Document> {
    (0..count).map(|n| instance(&format!("u{n:02}"))).collect()
}

#[tokio::test]
async fn a_platform_that_lost_its_data_is_not_believed_until_it_recovers() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("watch.cache");
    seed(&path, at(1, 500), &fleet(10));
    let (handler, mut streams) = platform();
    let fake = Fake::start(handler).await;
    let options = SourceOptions {
        hold: Duration::from_secs(3600),
        ..SourceOptions::cached(&path)
    };
    let mut source = RemoteSource::start(fake.client(), scope(), options);
    let events = soon("a connection", streams.recv()).await.unwrap();
    tell(&events, at(2, 1), &fleet(1));
    assert_eq!(
        soon("the copy", source.next()).await,
        full(None, &fleet(10))
    );
    let held = status_where(&mut source.status(), |status| status.held.is_some())
        .await
        .held
        .unwrap();
    assert_eq!((held.instances, held.known), (1, 10));

    // They register again: at half of them the state is taken over, as one.
    for (revision, document) in (2..).zip(fleet(5).into_iter().skip(1)) {
        events.send_at(at(2, revision), &WatchEvent::Added(document));
    }
    assert_eq!(
        soon("full", source.next()).await,
        full(Some(at(2, 5)), &fleet(5))
    );
    let status = status_where(&mut source.status(), |status| {
        status.index == Some(at(2, 5))
    })
    .await;
    assert_eq!(status.held, None);
    events.send_at(at(2, 6), &WatchEvent::Added(instance("u99")));
    let changes = vec![Change::Put(instance("u99"))];
    assert_eq!(
        soon("delta", source.next()).await,
        Some(Update::Delta {
            index: at(2, 6),
            changes
        })
    );
}

#[tokio::test]
async fn an_empty_state_that_stays_is_taken_over_in_the_end() {
    let (handler, mut streams) = platform();
    let fake = Fake::start(handler).await;
    let options = SourceOptions {
        hold: Duration::from_millis(30),
        ..SourceOptions::default()
    };
    let mut source = RemoteSource::start(fake.client(), scope(), options);
    let events = soon("a connection", streams.recv()).await.unwrap();
    tell(&events, at(1, 5), &fleet(3));
    assert_eq!(
        soon("full", source.next()).await,
        full(Some(at(1, 5)), &fleet(3))
    );
    events.send(
        None,
        &WatchEvent::Resync(Resync {
            reason: "restored".to_owned(),
        }),
    );
    tell(&events, at(1, 9), &[]);
    assert_eq!(
        soon("the empty state", source.next()).await,
        full(Some(at(1, 9)), &[])
    );
}

#[tokio::test]
async fn the_last_instance_may_leave_as_any_other() {
    let (handler, mut streams) = platform();
    let fake = Fake::start(handler).await;
    let options = SourceOptions {
        hold: Duration::from_secs(3600),
        ..SourceOptions::default()
    };
    let mut source = RemoteSource::start(fake.client(), scope(), options);
    let events = soon("a connection", streams.recv()).await.unwrap();
    tell(&events, at(1, 5), &fleet(1));
    soon("full", source.next()).await;
    events.send(Some(6), &WatchEvent::Deleted((&fleet(1)[0]).into()));
    let changes = vec![Change::Deleted(fleet(1)[0].key())];
    assert_eq!(
        soon("delta", source.next()).await,
        Some(Update::Delta {
            index: at(1, 6),
            changes
        })
    );
}

#[tokio::test]
async fn changes_are_copied_together_and_the_last_one_always() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("watch.cache");
    let (handler, mut streams) = platform();
    let fake = Fake::start(handler).await;
    // An hour between two writes: only the first state and, at the end, the last are written.
    let options = SourceOptions {
        write_interval: Duration::from_secs(3600),
        ..SourceOptions::cached(&path)
    };
    let mut source = RemoteSource::start(fake.client(), scope(), options);
    let events = soon("a connection", streams.recv()).await.unwrap();
    tell(&events, at(1, 1), &fleet(1));
    soon("full", source.next()).await;
    for revision in 2..50 {
        events.send(Some(revision), &WatchEvent::Modified(instance("u00")));
        soon("delta", source.next()).await;
    }
    soon("the end", source.stop()).await;
    assert_eq!(
        DiskCache::new(&path, &scope())
            .load()
            .unwrap()
            .unwrap()
            .index,
        at(1, 49)
    );
}

#[tokio::test]
async fn a_source_that_is_dropped_ends_its_watch() {
    let (handler, mut streams) = platform();
    let fake = Fake::start(handler).await;
    let source = RemoteSource::start(fake.client(), scope(), SourceOptions::default());
    let mut status = source.status();
    let events = soon("a connection", streams.recv()).await.unwrap();
    drop(source);
    let ended = async { while status.changed().await.is_ok() {} };
    soon("the end of the task", ended).await;
    drop(events);
}

#[tokio::test]
async fn a_newer_control_plane_is_followed_as_far_as_it_is_understood() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("copy");
    let (handler, mut streams) = platform();
    let fake = Fake::start(handler).await;
    let options = SourceOptions::cached(&path);
    let mut source = RemoteSource::start(fake.client(), scope(), options);
    let mut status = source.status();
    let events = soon("a connection", streams.recv()).await.unwrap();
    let mut newer = serde_json::to_value(instance("u1")).unwrap();
    newer["metadata"]["nextField"] = true.into();
    newer["spec"]["nextField"] = true.into();
    let unread = r#"{"kind": "Service", "metadata": {"name": "b"}, "spec": {"links": 1}}"#;
    events.raw(&format!(
        "event: added\ndata: {newer}\n\nevent: added\ndata: {unread}\n\n"
    ));
    events.send(Some(5), &WatchEvent::Bookmark);
    let index = Some(at(1, 5));
    let told = soon("full", source.next()).await;
    assert_eq!(told, full(index, &[instance("u1")]));
    status_where(&mut status, |status| status.skipped == 1).await;
    source.stop().await;
    let copy = DiskCache::new(&path, &scope()).load().unwrap().unwrap();
    assert_eq!(copy.documents, [instance("u1")]);
}
