//! Closing and opening again, and what must not be opened.

use std::{
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use futures_util::FutureExt as _;
use guildhall_store::{
    Op, Store, Transaction, Unavailable, WatchError, WatchItem,
    embedded::{Embedded, Offline, OpenError, Options},
};
use guildhall_testkit::files::FaultyFiles;

use crate::{
    model::{INCARNATION, next},
    support::{Disks, small},
};

fn put(key: impl Into<String>, value: &str) -> Transaction {
    Transaction::new().then(Op::put(key.into(), value.to_owned()))
}

fn open(disks: &Disks, now: Instant) -> Offline {
    Offline::open(disks.directories(), &small(), INCARNATION, now).unwrap()
}

/// The message with its causes.
fn refused<T>(opened: Result<T, OpenError>) -> String {
    let error = opened.err().expect("a refusal");
    let source = std::error::Error::source(&error).map(ToString::to_string);
    format!("{error} {}", source.unwrap_or_default())
}

#[tokio::test]
async fn a_store_on_disk_goes_on_where_it_was() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("new/store");
    let store = Embedded::open(&path, Options::default()).unwrap();
    let first = store.commit(put("k", "1")).await.unwrap().index;
    let mut watch = store.watch(b"", None).await.unwrap();
    assert_eq!(watch.next().await, Ok(WatchItem::Bookmark(1)));
    drop(store);
    assert_eq!(
        watch.next().await,
        Err(WatchError::Unavailable(Unavailable::Stopped))
    );

    let store = Embedded::open(&path, Options::default()).unwrap();
    assert_eq!(store.index(), first, "the same incarnation");
    assert_eq!(store.get(b"k").await.unwrap().unwrap().value, "1");
    assert!(
        matches!(
            Embedded::open(&path, Options::default()),
            Err(OpenError::Disk(_))
        ),
        "locked"
    );
    let mut watch = store.watch(b"", Some(1)).await.unwrap();
    assert_eq!(
        watch.next().await.unwrap().revision(),
        1,
        "a restart costs no watcher its place"
    );
    assert_eq!(store.commit(put("k", "2")).await.unwrap().index.revision, 2);
}

#[test]
fn checkpoints_bound_the_log_and_the_start() {
    let disks = Disks::default();
    let mut options = small();
    options.history.revisions = 10;
    let now = Instant::now();
    let mut store = Offline::open(disks.directories(), &options, INCARNATION, now).unwrap();
    for number in 0..2000 {
        store.commit([put(format!("k{}", number % 10), &"x".repeat(300))], now);
    }
    let names = guildhall_log::files::Files::list(&disks.log).unwrap();
    let bytes: usize = names
        .iter()
        .map(|name| disks.log.contents(name).unwrap().len())
        .sum();
    assert!(
        bytes < 120_000,
        "600 KB were written, {bytes} are kept: {names:?}"
    );
    drop(store);
    let store = Offline::open(disks.directories(), &options, INCARNATION, now).unwrap();
    assert_eq!((store.index().revision, store.status().entries), (2000, 10));
    assert_eq!(store.status().compacted, 1990);
}

#[test]
fn leases_have_their_whole_time_again() {
    let disks = Disks::default();
    let mut now = Instant::now();
    let ttl = Duration::from_secs(10);
    let mut store = open(&disks, now);
    let lease = store.lease_grant(ttl, now).unwrap();
    store.commit(
        [Transaction::new().then(Op::put_leased("k", "", lease))],
        now,
    );
    drop(store);
    now += ttl * 2;
    let mut store = open(&disks, now);
    store.tick(now + ttl - Duration::from_millis(1));
    assert!(store.get(b"k").is_some());
    store.tick(now + ttl);
    assert!(store.get(b"k").is_none());
    drop(store);
    let mut store = open(&disks, now);
    assert_ne!(
        store.lease_grant(ttl, now),
        Ok(lease),
        "never given out twice"
    );
}

#[test]
fn a_stalled_platform_extends_its_leases() {
    let disks = Disks::default();
    let now = Instant::now();
    let ttl = Duration::from_secs(10);
    let mut store = open(&disks, now);
    let lease = store.lease_grant(ttl, now).unwrap();
    let late = now + ttl + Duration::from_secs(60);
    store.tick_due(now + ttl, late);
    assert_eq!(
        store.lease_keepalive(lease, late),
        Ok(ttl),
        "nobody could have renewed it"
    );
}

#[test]
fn a_directory_of_a_newer_version_is_refused() {
    let disks = Disks::default();
    drop(open(&disks, Instant::now()));
    disks.log.corrupt("format", |bytes| {
        *bytes = b"guildhall store\nformat 3\nshiny yes\n".to_vec()
    });
    let message = refused(Offline::open(
        disks.directories(),
        &small(),
        INCARNATION,
        Instant::now(),
    ));
    assert!(
        message.contains("format version 3") && message.contains("start a newer guildhall"),
        "{message}"
    );
    disks.log.corrupt("format", |bytes| bytes.clear());
    let message = refused(Offline::open(
        disks.directories(),
        &small(),
        INCARNATION,
        Instant::now(),
    ));
    assert!(message.contains("restore the latest snapshot"), "{message}");
}

#[test]
fn a_store_that_lost_its_log_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let open = || Embedded::open(directory.path(), small());
    drop(open().unwrap());
    for file in fs::read_dir(directory.path().join("log")).unwrap() {
        let file = file.unwrap().path();
        if file.extension().is_some_and(|extension| extension == "log") {
            fs::remove_file(file).unwrap();
        }
    }
    let message = refused(open());
    assert!(message.contains("restore the latest snapshot"), "{message}");
}

#[test]
fn a_checkpoint_without_the_log_that_follows_is_refused() {
    let now = Instant::now();
    let (disks, other) = (Disks::default(), Disks::default());
    let mut store = open(&disks, now);
    (0..50).for_each(|number| drop(store.commit([put(format!("k{number}"), "")], now)));
    assert!(store.checkpoint(now));
    drop(store);
    drop(open(&other, now));
    // The checkpoint of one store with the log of another.
    copy(&disks.log, &other.log, ".checkpoint");
    let message = refused(Offline::open(
        other.directories(),
        &small(),
        INCARNATION,
        now,
    ));
    assert!(
        message.contains("does not continue its checkpoint"),
        "{message}"
    );
}

/// Copies the files whose names end so.
fn copy(from: &FaultyFiles, to: &FaultyFiles, suffix: &str) {
    use guildhall_log::files::Files as _;
    for name in from
        .list()
        .unwrap()
        .into_iter()
        .filter(|name| name.ends_with(suffix))
    {
        to.create(&name)
            .unwrap()
            .write_at(0, &from.contents(&name).unwrap())
            .unwrap();
    }
}

#[test]
fn damage_is_named_and_never_passed_over() {
    use guildhall_log::files::Files as _;
    let (disks, now) = (Disks::default(), Instant::now());
    let mut store = open(&disks, now);
    let mut watch = store.watch(b"", None).unwrap();
    (0..20)
        .for_each(|number| drop(store.commit([put(format!("k{number}"), &"x".repeat(50))], now)));
    assert!(matches!(next(&mut watch), Some(Ok(WatchItem::Changes(_)))));
    drop(store);
    let name = disks
        .log
        .list()
        .unwrap()
        .into_iter()
        .find(|name| name.ends_with(".log"))
        .unwrap();
    disks.log.corrupt(&name, |bytes| bytes[1000] ^= 1);
    let message = refused(Offline::open(
        disks.directories(),
        &small(),
        INCARNATION,
        now,
    ));
    assert!(
        message.contains(&name) && message.contains("offset") && message.contains("restore"),
        "{message}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn dropping_the_store_commits_what_waits() {
    let disks = Disks::default();
    let store: Arc<dyn Store> = Arc::new(Embedded::open_in(disks.directories(), small()).unwrap());
    let tasks = (0..50).map(|number| {
        let store = Arc::clone(&store);
        tokio::spawn(async move { store.commit(put(format!("k{number}"), "")).await.is_ok() })
    });
    let tasks: Vec<_> = tasks.collect();
    drop(store);
    let mut done = 0;
    for task in tasks {
        done += u64::from(task.await.unwrap());
    }
    let store = Embedded::open_in(disks.directories(), small()).unwrap();
    assert_eq!((store.index().revision, done), (50, 50));
}

/// Starts processes all the while: each holds copies of every descriptor between its fork and its program's start, that
/// of a directory's lock too.
fn fork_until(stop: &AtomicBool) -> u64 {
    let mut forks = 0;
    while !stop.load(Relaxed) {
        let forked = std::process::Command::new("true").status();
        forks += u64::from(forked.is_ok());
    }
    forks
}

/// Opens and drops a store again and again, with everything under way that could outlive it.
async fn open_and_drop(path: &Path, times: u64) {
    let mut left_over = Vec::new();
    for time in 0..times {
        let store = Embedded::open(path, small()).unwrap();
        assert_eq!(store.index().revision, time);
        // More blobs than the thread gets to, their callers gone.
        for blob in 0..4_u8 {
            let content = vec![blob; 1000 + usize::try_from(time).unwrap()];
            let put = store.blob_put(content.into());
            let gone = std::pin::pin!(put).as_mut().now_or_never();
            assert!(gone.is_none(), "a blob is not put at once");
        }
        store.commit(put(time.to_string(), "v")).await.unwrap();
        left_over.push((
            store.watch(b"", None).await.unwrap(),
            store.snapshot().await.unwrap(),
        ));
        drop(store);
    }
    for (mut watch, mut snapshot) in left_over {
        while !matches!(watch.next().await, Err(WatchError::Unavailable(_))) {}
        while let Ok(Some(_)) = snapshot.next().await {}
    }
}

#[tokio::test]
async fn a_dropped_store_is_gone_when_the_drop_returns() {
    let directory = tempfile::tempdir().unwrap();
    open_and_drop(&directory.path().join("one"), 50).await;
    let (path, stop) = (directory.path().join("two"), AtomicBool::new(false));
    let forks = std::thread::scope(|scope| {
        let forking = scope.spawn(|| fork_until(&stop));
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .build()
            .unwrap();
        let dropping = scope.spawn(move || runtime.block_on(open_and_drop(&path, 150)));
        let dropped = dropping.join();
        stop.store(true, Relaxed);
        dropped.unwrap();
        forking.join().unwrap()
    });
    assert!(forks > 0, "nothing was forked meanwhile");
}
