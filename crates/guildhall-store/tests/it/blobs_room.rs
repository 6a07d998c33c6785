//! The room of blobs that nothing names: given back in bounded steps, without anything kept being lost.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use guildhall_store::{
    BlobHash, Op, Store, Transaction,
    embedded::{BlobStatus, Embedded, Offline},
};

use crate::{
    blobs::{GRACE, damage, done, naming, open, options},
    support::{Disks, heard},
};

/// Contents of about 1 KB, so that a segment of the tests holds fifteen.
fn content(number: u32) -> Vec<u8> {
    format!("{number:>1000}").into_bytes()
}

/// Puts and names blobs, under keys of their own.
fn fill(store: &mut Offline, numbers: std::ops::Range<u32>, now: Instant) -> Vec<BlobHash> {
    let put = |number| {
        let hash = store.blob_put(&content(number), now).unwrap();
        done(store, naming(format!("k{number}"), &[hash]), now);
        hash
    };
    numbers.map(put).collect()
}

fn delete(store: &mut Offline, number: u32, now: Instant) {
    let delete = Transaction::new().then(Op::delete(format!("k{number}")));
    done(store, delete, now);
}

fn check(store: &Offline, hashes: &[BlobHash], kept: impl Fn(u32) -> bool) {
    for (number, hash) in (0..).zip(hashes) {
        let expected = kept(number).then(|| Bytes::from(content(number)));
        assert_eq!(store.blob_get(*hash), Ok(expected), "{number}");
    }
}

#[test]
fn segments_of_garbage_go_and_what_is_kept_moves() {
    let (disks, mut now) = (Disks::default(), Instant::now());
    let mut store = open(&disks, now);
    let hashes = fill(&mut store, 0..300, now);
    let before = store.blob_status();
    assert!(before.segments >= 20, "{before:?}");
    assert_eq!(before.bytes, before.live);
    let kept = |number: u32| number.is_multiple_of(10);
    for number in (0..300).filter(|number| !kept(*number)) {
        delete(&mut store, number, now);
    }
    store.tick(now);
    assert_eq!(store.blob_status(), before, "the grace is not over");
    now += GRACE;
    store.tick(now);
    let after = store.blob_status();
    assert_eq!((after.blobs, after.live), (30, before.live / 10));
    assert!(after.segments <= 6, "{after:?}");
    check(&store, &hashes, kept);

    drop(store);
    let mut store = open(&disks, now);
    // Forgotten ones whose segment is still there are found, and forgotten, again.
    assert!((30..40).contains(&store.blob_status().blobs));
    now += GRACE;
    store.tick(now);
    assert_eq!(store.blob_status().blobs, 30);
    check(&store, &hashes, kept);
}

#[test]
fn a_sweep_forgets_a_bounded_number_at_once() {
    let (disks, mut now) = (Disks::default(), Instant::now());
    let mut store = open(&disks, now);
    for number in 0..2500_u32 {
        store.blob_put(&number.to_le_bytes(), now).unwrap();
    }
    now += GRACE;
    let mut left = Vec::new();
    for _ in 0..3 {
        store.tick(now);
        left.push(store.blob_status().blobs);
    }
    assert_eq!(left, [1476, 452, 0]);
}

#[test]
fn a_full_disk_costs_nothing_that_is_kept() {
    let (disks, mut now) = (Disks::default(), Instant::now());
    let mut store = open(&disks, now);
    let hashes = fill(&mut store, 0..100, now);
    let kept = |number: u32| number.is_multiple_of(3);
    for number in (0..100).filter(|number| !kept(*number)) {
        delete(&mut store, number, now);
    }
    now += GRACE;
    disks.blobs.set_space(Some(0));
    store.tick(now);
    check(&store, &hashes, kept);
    disks.blobs.set_space(None);
    store.tick(now);
    let status = store.blob_status();
    assert!(status.bytes <= 3 * status.live, "{status:?}");
    check(&store, &hashes, kept);
    drop(store);
    let store = open(&disks, now);
    for number in (0..100).step_by(3) {
        let found = store.blob_get(hashes[number as usize]).unwrap();
        assert_eq!(found.unwrap(), content(number));
    }
}

#[test]
fn a_damaged_blob_does_not_stop_the_cleaning() {
    let (disks, mut now) = (Disks::default(), Instant::now());
    let mut store = open(&disks, now);
    let hashes = fill(&mut store, 0..100, now);
    let kept = |number: u32| number.is_multiple_of(5);
    for number in (0..100).filter(|number| !kept(*number)) {
        delete(&mut store, number, now);
    }
    damage(&disks, &content(5));
    now += GRACE;
    let ((), said) = heard(|| store.tick(now));
    assert!(
        said.contains(&hashes[5].to_string()) && said.contains("k5"),
        "{said}"
    );
    let status = store.blob_status();
    assert_eq!((status.blobs, status.damaged), (19, 1));
    assert!(status.segments <= 4, "{status:?}");
    assert!(store.blob_get(hashes[5]).is_err());
    assert_eq!(store.blob_get(hashes[10]).unwrap().unwrap(), content(10));
    assert_eq!(store.blob_get(hashes[11]), Ok(None));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn room_is_given_back_beside_puts_and_gets() {
    let disks = Disks::default();
    let mut options = options();
    options.blob_grace = Duration::from_millis(10);
    let store = Arc::new(Embedded::open_in(disks.directories(), options).unwrap());
    let put = async |number: u32| {
        let hash = loop {
            let hash = store.blob_put(content(number).into()).await.unwrap();
            // It may be collected before it is named.
            if store
                .commit(naming(format!("k{}", number % 50), &[hash]))
                .await
                .is_ok()
            {
                break hash;
            }
        };
        assert_eq!(
            store.blob_get(hash).await.unwrap().unwrap(),
            content(number)
        );
        hash
    };
    let mut last = Vec::new();
    for number in 0..1000 {
        let hash = put(number).await;
        if number >= 950 {
            last.push((number, hash));
        }
    }
    let deadline = Instant::now() + Duration::from_secs(30);
    let small = |status: BlobStatus| status.blobs == 50 && status.bytes <= 3 * status.live;
    while !small(store.blob_status()) {
        assert!(Instant::now() < deadline, "{:?}", store.blob_status());
        // Something must ring for what was collected last.
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    for (number, hash) in last {
        let bytes = store.blob_get(hash).await.unwrap().unwrap();
        assert_eq!(bytes, content(number));
    }
}
