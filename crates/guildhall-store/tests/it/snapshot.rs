//! Snapshots of a running store, and stores made of them.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use guildhall_store::{
    BlobHash, Compare, Op, Range, Snapshot, Store, Transaction, WatchError,
    embedded::{Embedded, OpenError},
};
use guildhall_testkit::files::FaultyFiles;

use crate::support::{Disks, small};

async fn bytes(mut snapshot: Snapshot) -> Vec<u8> {
    let mut bytes = Vec::new();
    while let Some(chunk) = snapshot.next().await.unwrap() {
        bytes.extend_from_slice(&chunk);
    }
    bytes
}

fn open(disks: &Disks) -> Embedded {
    Embedded::open_in(disks.directories(), small()).unwrap()
}

fn with_blob(key: &'static str, blob: BlobHash) -> Transaction {
    Transaction::new().then(Op::Put {
        key: key.into(),
        value: Bytes::new(),
        lease: None,
        blobs: vec![blob],
    })
}

/// A store with 1,000 entries, a lease and two blobs, and its snapshot, taken while writes go on.
async fn snapshot() -> (Disks, Embedded, Vec<u8>) {
    let disks = Disks::default();
    let store = open(&disks);
    for number in 0..1000 {
        store
            .commit(Transaction::new().then(Op::put(format!("k{number:04}"), vec![7; 600])))
            .await
            .unwrap();
    }
    let lease = store.lease_grant(Duration::from_secs(300)).await.unwrap();
    store
        .commit(Transaction::new().then(Op::put_leased("leased", "", lease)))
        .await
        .unwrap();
    for (key, content) in [("blob/1", "one"), ("blob/2", "two")] {
        let blob = store.blob_put(content.into()).await.unwrap();
        store.commit(with_blob(key, blob)).await.unwrap();
    }
    let mut snapshot = store.snapshot().await.unwrap();
    let mut dump = snapshot.next().await.unwrap().unwrap().to_vec();
    store
        .commit(Transaction::new().then(Op::put("k0999", "later")))
        .await
        .unwrap();
    dump.extend(bytes(snapshot).await);
    (disks, store, dump)
}

#[tokio::test]
async fn a_restored_store_is_the_snapshots_in_a_new_incarnation() {
    let (_disks, store, dump) = snapshot().await;
    let disks = Disks::default();
    let restored = Embedded::restore_in(&disks.directories(), &small(), &dump[..]).unwrap();
    assert_eq!((restored.entries, restored.blobs), (1003, 2));
    let copy = open(&disks);
    assert_eq!(copy.index(), restored.index);
    assert!(restored.index.incarnation > store.index().incarnation);
    assert!(
        restored.index.revision > store.index().revision,
        "no revision means two things"
    );

    let later = store.get(b"k0999").await.unwrap().unwrap();
    let found = copy.range(Range::prefix("")).await.unwrap().entries;
    let expected = store.range(Range::prefix("")).await.unwrap().entries;
    for (found, expected) in found
        .iter()
        .zip(&expected)
        .filter(|(_, expected)| **expected != later)
    {
        assert_eq!(found, expected);
    }
    assert_eq!(
        copy.get(b"k0999").await.unwrap().unwrap().value,
        vec![7; 600],
        "as of the snapshot"
    );
    assert_eq!(
        copy.blob_get(BlobHash::of(b"two")).await.unwrap().unwrap(),
        "two"
    );

    let leased = copy.get(b"leased").await.unwrap().unwrap();
    copy.lease_revoke(leased.lease.unwrap()).await.unwrap();
    assert_eq!(copy.get(b"leased").await.unwrap(), None);
    let old = copy.watch(b"", Some(store.index().revision)).await.err();
    assert_eq!(
        old,
        Some(WatchError::Compacted {
            oldest: restored.index.revision + 1
        })
    );
    let entry = copy.get(b"k0001").await.unwrap().unwrap();
    let edit = Transaction::new()
        .when(Compare::modified("k0001", entry.modified))
        .then(Op::put("k0001", "new"));
    let edited = copy.commit(edit).await.unwrap().index;
    drop(copy);
    assert_eq!(open(&disks).index(), edited);
}

#[tokio::test]
async fn a_snapshot_that_is_not_whole_is_refused_and_so_is_what_it_left() {
    let (_disks, _store, dump) = snapshot().await;
    let check = |dump: &[u8], expected: &str| {
        let disks = Disks::default();
        let message = Embedded::restore_in(&disks.directories(), &small(), dump)
            .unwrap_err()
            .to_string();
        assert!(message.contains(expected), "{message}");
        assert!(open(&disks).index().revision == 0, "nothing of it counts");
    };
    check(&dump[..dump.len() / 2], "cut off");
    check(&dump[..dump.len() - 1], "cut off");
    let mut damaged = dump.clone();
    damaged[dump.len() / 2] ^= 1;
    check(&damaged, "damaged");
    check(b"something else entirely", "no guildhall snapshot");

    // Power goes at any moment of a restore: either all of it counts or nothing.
    assert!(cut(&dump, |disks| &disks.log).await > 0);
    cut(&dump, |disks| &disks.blobs).await;
}

/// Cuts a disk's power after each of the operations of a restore. Returns after how many of them it was there.
async fn cut(dump: &[u8], disk: impl Fn(&Disks) -> &FaultyFiles) -> u32 {
    let mut whole = 0;
    for operations in 1.. {
        let disks = Disks::default();
        disk(&disks).cut_power_after(operations);
        let restored = Embedded::restore_in(&disks.directories(), &small(), dump);
        let after = Disks {
            log: disks.log.crash(operations),
            blobs: disks.blobs.crash(operations),
        };
        match Embedded::open_in(after.directories(), small()) {
            Ok(store) if store.index().revision == 0 => assert!(restored.is_err()),
            Ok(store) => {
                assert_eq!(
                    store.range(Range::prefix("")).await.unwrap().entries.len(),
                    1003
                );
                let blob = store.blob_get(BlobHash::of(b"two")).await;
                assert_eq!(blob.unwrap().unwrap(), "two");
                whole += 1;
            }
            Err(OpenError::Incomplete { .. }) => assert!(restored.is_err()),
            Err(error) => panic!("after {operations} operations: {error}"),
        }
        if restored.is_ok() {
            break;
        }
    }
    whole
}

#[tokio::test]
async fn a_restore_wants_an_empty_directory() {
    let (disks, store, dump) = snapshot().await;
    drop(store);
    let restored = Embedded::restore_in(&disks.directories(), &small(), &dump[..]);
    assert!(
        matches!(restored, Err(OpenError::NotEmpty { .. })),
        "{restored:?}"
    );
}

#[tokio::test]
async fn blobs_stay_while_a_snapshot_may_need_them() {
    let disks = Disks::default();
    let mut options = small();
    options.blob_grace = Duration::ZERO;
    let store = Arc::new(Embedded::open_in(disks.directories(), options).unwrap());
    let blob = loop {
        // With no grace at all a blob may be collected before it is named: put it again.
        let blob = store.blob_put("kept".into()).await.unwrap();
        if store.commit(with_blob("k", blob)).await.is_ok() {
            break blob;
        }
    };
    let snapshot = store.snapshot().await.unwrap();
    store
        .commit(Transaction::new().then(Op::delete("k")))
        .await
        .unwrap();
    let dump = bytes(snapshot).await;
    let copy = Disks::default();
    Embedded::restore_in(&copy.directories(), &small(), &dump[..]).unwrap();
    assert_eq!(open(&copy).blob_get(blob).await.unwrap().unwrap(), "kept");
}
