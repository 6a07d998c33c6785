//! A directory of an earlier version, which kept each blob in a file: it opens, and its blobs move into the log.

use std::{fs, path::Path, time::Instant};

use guildhall_log::files::Files as _;
use guildhall_store::{
    BlobHash, Range,
    embedded::{Embedded, Offline},
};
use guildhall_testkit::files::FaultyFiles;

use crate::{
    blobs::open,
    model::INCARNATION,
    support::{Disks, heard, small},
};

/// What an earlier version wrote, and must be read for ever.
fn golden() -> Disks {
    let disks = Disks::default();
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/store-v1");
    let load = |files: &FaultyFiles, name: &str| {
        for file in fs::read_dir(directory.join(name)).unwrap() {
            let file = file.unwrap();
            let copy = files.create(file.file_name().to_str().unwrap()).unwrap();
            copy.write_at(0, &fs::read(file.path()).unwrap()).unwrap();
            copy.sync_data().unwrap();
        }
        files.sync_dir().unwrap();
    };
    load(&disks.log, "log");
    load(&disks.blobs, "blobs");
    disks
}

fn files(disks: &Disks) -> Vec<String> {
    let mut names = disks.blobs.list().unwrap();
    names.retain(|name| name.parse::<BlobHash>().is_ok());
    names
}

/// Every named blob is there.
fn check(store: &Offline, now: Instant) {
    let entries = store.range(&Range::prefix("config/"), now).unwrap().entries;
    let names = entries
        .iter()
        .map(|entry| String::from_utf8_lossy(&entry.key));
    assert_eq!(
        names.collect::<Vec<_>>(),
        ["config/large", "config/one", "config/two"]
    );
    for hash in entries.iter().flat_map(|entry| &entry.blobs) {
        assert!(store.blob_get(*hash).unwrap().is_some(), "{hash}");
    }
    let first = store.blob_get(BlobHash::of(b"first: 1\n"));
    assert_eq!(first.unwrap().unwrap(), "first: 1\n");
}

#[test]
fn the_files_of_the_old_layout_move_into_the_log() {
    let (disks, now) = (golden(), Instant::now());
    assert_eq!(files(&disks).len(), 4);
    let store = open(&disks, now);
    check(&store, now);
    assert_eq!(files(&disks), [""; 0]);
    let format = disks.log.contents("format").unwrap();
    let format = String::from_utf8(format).unwrap();
    assert!(
        format.contains("format 2\n"),
        "an older build says why it does not open it: {format}"
    );
    drop(store);
    let store = open(&disks, now);
    check(&store, now);
    assert_eq!(store.index().incarnation, 7);
}

#[test]
fn a_power_loss_on_the_way_loses_no_blob() {
    cut(|disks| &disks.log, 4);
    cut(|disks| &disks.blobs, 8);
}

/// Cuts a disk's power after each of the operations of an opening, of which there are at least so many.
fn cut(disk: impl Fn(&Disks) -> &FaultyFiles, least: u64) {
    for operations in 0.. {
        let (disks, now) = (golden(), Instant::now());
        disk(&disks).cut_power_after(operations);
        let opened = Offline::open(disks.directories(), &small(), INCARNATION, now).is_ok();
        for seed in 0..4 {
            let after = Disks {
                log: disks.log.crash(seed),
                blobs: disks.blobs.crash(seed),
            };
            check(&open(&after, now), now);
            assert_eq!(files(&after), [""; 0]);
        }
        let killed = Disks {
            log: disks.log.kill(),
            blobs: disks.blobs.kill(),
        };
        check(&open(&killed, now), now);
        if opened && !disk(&disks).is_off() {
            assert!(operations >= least, "{operations}");
            return;
        }
    }
}

#[test]
fn a_full_disk_is_said_and_the_move_goes_on_later() {
    let (disks, now) = (golden(), Instant::now());
    disks.blobs.set_space(Some(0));
    let Err(error) = Offline::open(disks.directories(), &small(), INCARNATION, now) else {
        panic!("opened without room");
    };
    let said = format!("{error}: {:?}", std::error::Error::source(&error));
    assert!(said.contains("StorageFull"), "{said}");
    disks.blobs.set_space(None);
    check(&open(&disks, now), now);
}

#[test]
fn a_damaged_file_stays_and_is_said() {
    let (disks, now) = (golden(), Instant::now());
    let hash = BlobHash::of(b"first: 1\n");
    disks
        .blobs
        .corrupt(&hash.to_string(), |bytes| bytes[0] ^= 1);
    let (mut store, said) = heard(|| open(&disks, now));
    assert!(
        said.contains(&hash.to_string()) && said.contains("config/"),
        "{said}"
    );
    assert_eq!(files(&disks), [hash.to_string()]);
    assert!(store.blob_get(hash).is_err());
    assert_eq!(store.blob_put(b"first: 1\n", now), Ok(hash));
    check(&store, now);
}

#[test]
fn a_snapshot_of_it_restores() {
    let disks = golden();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let dump = runtime.block_on(async {
        let store = Embedded::open_in(disks.directories(), small()).unwrap();
        let mut snapshot = guildhall_store::Store::snapshot(&store).await.unwrap();
        let mut dump = Vec::new();
        while let Some(chunk) = snapshot.next().await.unwrap() {
            dump.extend_from_slice(&chunk);
        }
        dump
    });
    let copy = Disks::default();
    let restored = Embedded::restore_in(&copy.directories(), &small(), &dump[..]).unwrap();
    assert_eq!(restored.blobs, 3);
    check(&open(&copy, Instant::now()), Instant::now());
}
