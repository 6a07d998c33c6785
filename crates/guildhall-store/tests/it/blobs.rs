//! Blobs: durable before they are named, gone some time after nothing names them.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use guildhall_store::{
    Blob, BlobError, BlobHash, CommitError, Compare, MAX_BLOB_BYTES, Op, Store, Transaction,
    TransactionError,
    embedded::{Embedded, Offline, Options},
};

use guildhall_testkit::files::WriteFault;

use crate::{
    model::INCARNATION,
    support::{Disks, heard, small},
};

pub(crate) const GRACE: Duration = Duration::from_secs(60);

pub(crate) fn options() -> Options {
    Options {
        blob_grace: GRACE,
        ..small()
    }
}

pub(crate) fn open(disks: &Disks, now: Instant) -> Offline {
    Offline::open(disks.directories(), &options(), INCARNATION, now).unwrap()
}

pub(crate) fn naming(key: impl Into<Bytes>, blobs: &[BlobHash]) -> Transaction {
    Transaction::new().then(Op::Put {
        key: key.into(),
        value: Bytes::new(),
        lease: None,
        blobs: blobs.to_vec(),
    })
}

pub(crate) fn done(store: &mut Offline, transaction: Transaction, now: Instant) {
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

#[tokio::test]
async fn a_transaction_brings_the_blobs_that_it_names() {
    let store = Embedded::open_in(Disks::default().directories(), options()).unwrap();
    let largest = Bytes::from(vec![1; MAX_BLOB_BYTES]);
    for content in [Bytes::new(), "text".into(), largest] {
        let blob = Blob::of(content.clone());
        for _again in 0..2 {
            let named = naming("k", &[blob.hash()]).bring(blob.clone());
            assert!(store.commit(named).await.unwrap().changed);
        }
        assert_eq!(store.blob_get(blob.hash()).await, Ok(Some(content)));
    }
    let too_large = Blob::of(vec![1; MAX_BLOB_BYTES + 1].into());
    let refused = store.commit(Transaction::new().bring(too_large)).await;
    let bytes = MAX_BLOB_BYTES + 1;
    let why = TransactionError::BlobTooLarge { bytes };
    assert_eq!(refused, Err(CommitError::Invalid(why)));

    // One that is refused leaves at most a blob that nothing names.
    let unnamed = Blob::of("unnamed".into());
    let conflict = Transaction::new().when(Compare::absent("k"));
    let refused = store.commit(conflict.bring(unnamed.clone())).await;
    assert!(matches!(refused, Err(CommitError::Conflict { .. })));
    let hash = unnamed.hash();
    assert!(store.commit(naming("l", &[hash])).await.is_ok());
}

#[test]
fn a_transaction_whose_blob_cannot_be_kept_says_why_and_spares_the_others() {
    let (disks, now) = (Disks::default(), Instant::now());
    let mut store = open(&disks, now);
    let known = store.blob_put(b"known", now).unwrap();
    disks.blobs.fail_write(0, WriteFault::Error);
    let [lost, missing] = ["lost", "missing"].map(|content| Blob::of(content.into()));
    let group = [
        naming("a", &[lost.hash()]).bring(lost.clone()),
        naming("b", &[missing.hash()]),
        naming("c", &[known]),
    ];
    let outcomes = store.commit(group, now);
    let [
        Err(CommitError::Blob(BlobError::Io { hash, .. })),
        Err(none),
        Ok(_),
    ] = &outcomes[..]
    else {
        panic!("{outcomes:?}");
    };
    let expected = CommitError::BlobMissing {
        hash: missing.hash(),
    };
    assert_eq!((*hash, none), (lost.hash(), &expected));
    done(&mut store, naming("a", &[lost.hash()]).bring(lost), now);
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

/// Flips a bit of a blob's bytes, wherever they are.
pub(crate) fn damage(disks: &Disks, content: &[u8]) {
    let mut hit = 0;
    for number in 1..100 {
        disks.blobs.corrupt(&format!("{number:020}.log"), |bytes| {
            let at = bytes
                .windows(content.len())
                .position(|window| window == content);
            if let Some(at) = at {
                bytes[at] ^= 1;
                hit += 1;
            }
        });
    }
    assert_eq!(hit, 1);
}

#[test]
fn damage_is_noticed_and_healed_by_the_same_content() {
    let (disks, now) = (Disks::default(), Instant::now());
    let mut store = open(&disks, now);
    let hash = store.blob_put(b"content", now).unwrap();
    done(&mut store, naming("a", &[hash]), now);
    damage(&disks, b"content");
    let (read, said) = heard(|| store.blob_get(hash));
    assert_eq!(read, Err(BlobError::Damaged { hash }));
    assert!(
        said.contains(&hash.to_string()) && said.contains("[\"a\"]"),
        "{said}"
    );
    assert_eq!(store.blob_get(hash), Err(BlobError::Damaged { hash }));
    let refused = store.commit([naming("b", &[hash])], now).pop().unwrap();
    assert_eq!(refused, Err(CommitError::BlobMissing { hash }));
    assert_eq!(store.blob_status().damaged, 1);
    assert_eq!(store.blob_put(b"content", now), Ok(hash));
    assert_eq!(store.blob_get(hash).unwrap().unwrap(), "content");
    assert_eq!(store.blob_status().damaged, 0);
    done(&mut store, naming("b", &[hash]), now);
}

#[test]
fn a_start_finds_damage_and_says_whose_it_is() {
    let (disks, now) = (Disks::default(), Instant::now());
    let mut store = open(&disks, now);
    let [first, second, third] = ["first", "second", "third"]
        .map(|content| store.blob_put(content.as_bytes(), now).unwrap());
    done(&mut store, naming("config/one", &[first, second]), now);
    done(&mut store, naming("config/two", &[second, third]), now);
    drop(store);
    damage(&disks, b"second");
    let (mut store, said) = heard(|| open(&disks, now));
    assert!(
        said.contains(&second.to_string()) && said.contains("config/one\", \"config/two"),
        "{said}"
    );
    assert!(!said.contains(&first.to_string()), "{said}");
    assert_eq!(
        store.blob_get(second),
        Err(BlobError::Damaged { hash: second })
    );
    assert_eq!(store.blob_get(first).unwrap().unwrap(), "first");
    assert_eq!(store.blob_get(third).unwrap().unwrap(), "third");
    assert_eq!(store.blob_put(b"second", now), Ok(second));
    drop(store);
    let store = open(&disks, now);
    assert_eq!(store.blob_status().damaged, 0);
    assert_eq!(store.blob_get(second).unwrap().unwrap(), "second");
}

#[test]
fn what_no_longer_has_a_name_is_not_missed() {
    let (disks, now) = (Disks::default(), Instant::now());
    let mut store = open(&disks, now);
    let hash = store.blob_put(b"content", now).unwrap();
    done(&mut store, naming("a", &[hash]), now);
    damage(&disks, b"content");
    assert!(store.blob_get(hash).is_err());
    done(&mut store, naming("a", &[]), now);
    assert_eq!(store.blob_status().damaged, 0);
    assert_eq!(store.blob_get(hash), Ok(None));
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

#[test]
fn a_full_disk_refuses_new_blobs_and_nothing_else() {
    let (disks, now) = (Disks::default(), Instant::now());
    let mut store = open(&disks, now);
    let old = store.blob_put(b"old", now).unwrap();
    disks.blobs.set_space(Some(0));
    let content = vec![7; 100_000];
    for _ in 0..2 {
        let refused = store.blob_put(&content, now).unwrap_err();
        let hash = BlobHash::of(&content);
        assert!(
            matches!(&refused, BlobError::Io { action: "writing", hash: named, .. } if *named == hash)
        );
        assert!(refused.to_string().contains("is full"), "{refused}");
        assert_eq!(store.blob_get(hash), Ok(None));
    }
    assert_eq!(store.blob_put(b"old", now), Ok(old), "it is there");
    assert_eq!(store.blob_get(old).unwrap().unwrap(), "old");
    done(&mut store, naming("a", &[old]), now);

    disks.blobs.set_space(None);
    let new = store.blob_put(&content, now).unwrap();
    done(&mut store, naming("b", &[new]), now);
    drop(store);
    let store = open(&disks, now);
    assert_eq!(store.blob_get(old).unwrap().unwrap(), "old");
    assert_eq!(store.blob_get(new).unwrap().unwrap(), content);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn puts_of_the_same_content_share_one_record() {
    let disks = Disks::default();
    let store = Arc::new(Embedded::open_in(disks.directories(), options()).unwrap());
    let puts = (0..200_u32).map(|number| {
        let store = Arc::clone(&store);
        let content = Bytes::from(format!("content {}", number % 5));
        tokio::spawn(async move {
            let hash = store.blob_put(content.clone()).await.unwrap();
            // Durable means that it can be read and named at once.
            assert_eq!(store.blob_get(hash).await, Ok(Some(content)));
            let named = store.commit(naming(format!("k{number}"), &[hash])).await;
            named.unwrap();
        })
    });
    for put in puts.collect::<Vec<_>>() {
        put.await.unwrap();
    }
    let status = store.blob_status();
    assert_eq!((status.blobs, status.bytes), (5, 5 * (33 + 9)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn puts_at_the_same_time_share_a_sync() {
    let disks = Disks::default();
    let store = Arc::new(Embedded::open_in(disks.directories(), options()).unwrap());
    let before = disks.blobs.counts().syncs;
    // All wait in the queue before the first is answered.
    let puts = (0..64).map(|number| store.blob_put(vec![number; 100].into()));
    futures_util::future::join_all(puts).await;
    let syncs = disks.blobs.counts().syncs - before;
    assert!(syncs < 40, "{syncs} syncs for 64 puts");
}
