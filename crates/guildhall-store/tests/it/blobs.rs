//! Blobs: durable before they are named, gone some time after nothing names them.

use std::time::{Duration, Instant};

use bytes::Bytes;
use guildhall_store::{
    BlobError, BlobHash, CommitError, MAX_BLOB_BYTES, Op, Store, Transaction,
    embedded::{Embedded, Offline, Options},
};

use crate::{
    model::INCARNATION,
    support::{Disks, small},
};

const GRACE: Duration = Duration::from_secs(60);

fn options() -> Options {
    Options {
        blob_grace: GRACE,
        ..small()
    }
}

fn open(disks: &Disks, now: Instant) -> Offline {
    Offline::open(disks.directories(), &options(), INCARNATION, now).unwrap()
}

fn naming(key: &'static str, blobs: &[BlobHash]) -> Transaction {
    Transaction::new().then(Op::Put {
        key: key.into(),
        value: Bytes::new(),
        lease: None,
        blobs: blobs.to_vec(),
    })
}

fn done(store: &mut Offline, transaction: Transaction, now: Instant) {
    store.commit([transaction], now).pop().unwrap().unwrap();
}

#[tokio::test]
async fn a_blob_is_kept_by_its_hash() {
    let store = Embedded::open_in(Disks::default().directories(), options()).unwrap();
    let largest = Bytes::from(vec![1; MAX_BLOB_BYTES]);
    for content in [Bytes::new(), "text".into(), largest] {
        let hash = store.blob_put(content.clone()).await.unwrap();
        assert_eq!(hash, BlobHash::of(&content));
        assert_eq!(store.blob_put(content.clone()).await, Ok(hash), "again");
        assert_eq!(store.blob_get(hash).await, Ok(Some(content)));
    }
    let too_large = store.blob_put(vec![1; MAX_BLOB_BYTES + 1].into()).await;
    assert_eq!(
        too_large,
        Err(BlobError::TooLarge {
            bytes: MAX_BLOB_BYTES + 1
        })
    );
    let missing = BlobHash::of(b"missing");
    assert_eq!(store.blob_get(missing).await, Ok(None));
    let refused = store.commit(naming("k", &[missing])).await;
    assert_eq!(refused, Err(CommitError::BlobMissing { hash: missing }));
    assert_eq!(store.get(b"k").await, Ok(None));
}

#[test]
fn a_blob_goes_a_while_after_its_last_name() {
    let (disks, mut now) = (Disks::default(), Instant::now());
    let mut store = open(&disks, now);
    let [named, unnamed] =
        ["named", "unnamed"].map(|content| store.blob_put(content.as_bytes(), now).unwrap());
    done(&mut store, naming("a", &[named]), now);
    done(&mut store, naming("b", &[named]), now);
    let there =
        |store: &Offline| [named, unnamed].map(|hash| store.blob_get(hash).unwrap().is_some());

    now += GRACE - Duration::from_secs(1);
    store.tick(now);
    assert_eq!(there(&store), [true, true]);
    now += Duration::from_secs(1);
    store.tick(now);
    assert_eq!(there(&store), [true, false]);
    let late = store.commit([naming("c", &[unnamed])], now).pop().unwrap();
    assert_eq!(late, Err(CommitError::BlobMissing { hash: unnamed }));

    now += GRACE;
    done(&mut store, naming("a", &[]), now);
    now += GRACE;
    store.tick(now);
    assert_eq!(there(&store), [true, false], "b still names it");
    done(&mut store, Transaction::new().then(Op::delete("b")), now);
    store.tick(now + GRACE - Duration::from_secs(1));
    assert_eq!(there(&store), [true, false]);
    store.tick(now + GRACE);
    assert_eq!(there(&store), [false, false]);
}

#[test]
fn names_and_blobs_survive_a_restart() {
    let (disks, mut now) = (Disks::default(), Instant::now());
    let mut store = open(&disks, now);
    let [named, unnamed] =
        ["named", "unnamed"].map(|content| store.blob_put(content.as_bytes(), now).unwrap());
    done(&mut store, naming("a", &[named]), now);
    assert!(store.checkpoint(now));
    drop(store);
    let mut store = open(&disks, now);
    assert_eq!(store.get(b"a").unwrap().blobs[..], [named]);
    assert!(store.blob_get(unnamed).unwrap().is_some());
    now += GRACE;
    store.tick(now);
    assert!(store.blob_get(unnamed).unwrap().is_none());
    assert!(store.blob_get(named).unwrap().is_some());
}

#[test]
fn damage_is_noticed_and_healed_by_the_same_content() {
    let (disks, now) = (Disks::default(), Instant::now());
    let mut store = open(&disks, now);
    let hash = store.blob_put(b"content", now).unwrap();
    done(&mut store, naming("a", &[hash]), now);
    disks
        .blobs
        .corrupt(&hash.to_string(), |bytes| bytes[0] ^= 1);
    assert_eq!(store.blob_get(hash), Err(BlobError::Damaged { hash }));
    assert_eq!(store.blob_put(b"content", now), Ok(hash));
    assert_eq!(store.blob_get(hash).unwrap().unwrap(), "content");
}

#[test]
fn a_failed_sync_of_a_blob_is_not_tried_again() {
    let (disks, now) = (Disks::default(), Instant::now());
    let mut store = open(&disks, now);
    disks.blobs.fail_sync(0);
    assert!(matches!(
        store.blob_put(b"one", now),
        Err(BlobError::Io {
            action: "writing",
            ..
        })
    ));
    assert!(
        matches!(store.blob_put(b"two", now), Err(BlobError::Io { .. })),
        "until restart"
    );
    drop(store);
    let mut store = open(&disks, now);
    assert!(store.blob_put(b"one", now).is_ok());
}
