//! A log whose files were damaged: recovery gives records that were written, from the first one on and in order, or says
//! that they are damaged. Never a record that was not written; a torn tail is cut.
//!
//! The first part is what is written: a byte each for a record's length, or above 250 for a commit. The second damages: four
//! bytes each for segment, place and what is done there. A third is a whole segment's file.
#![no_main]

use std::sync::Arc;

use guildhall_fuzz::parts;
use guildhall_log::{Log, OnDamage, OpenError, Options, Start, Zeroing, files::Files};
use guildhall_testkit::files::FaultyFiles;
use libfuzzer_sys::fuzz_target;

fn options(on_damage: OnDamage) -> Options {
    Options {
        segment_size: 1024,
        spares: 0,
        zeroing: Zeroing::Inline,
        on_damage,
        max_record: 4096,
    }
}

/// The record with this number, of this length.
fn record(number: u64, length: u8) -> Vec<u8> {
    (0..length).map(|at| at ^ number as u8).collect()
}

fuzz_target!(|data: &[u8]| {
    let parts = parts(data);
    let mut parts = parts.into_iter();
    let mut part = || parts.next().unwrap_or_default();
    let (script, damage, file) = (part(), part(), part());
    let files = FaultyFiles::new();
    let written = write(&files, &script[..script.len().min(200)]);
    check(&files.kill(), &written, false);
    let damaged = files.kill();
    for change in damage.chunks_exact(4).take(16) {
        let [segment, high, low, what] = *change else {
            continue;
        };
        let names = names(&damaged);
        let Some(name) = names.get(usize::from(segment) % names.len().max(1)) else {
            continue;
        };
        let at = usize::from(high) << 8 | usize::from(low);
        damaged.corrupt(name, |bytes| change_at(bytes, at, what));
    }
    check(&damaged, &written, true);
    if !file.is_empty() {
        let strange = files.kill();
        if let Some(name) = names(&strange).last() {
            strange.corrupt(name, |bytes| *bytes = file.to_vec());
        }
        check(&strange, &written, true);
    }
});

/// Damages a file at a place; what lies behind its end is left out.
fn change_at(bytes: &mut Vec<u8>, at: usize, what: u8) {
    let at = at % bytes.len().max(1);
    match what {
        0 => bytes.truncate(at),
        1 => bytes[at..].fill(0),
        2 => {
            let end = (at + 64).min(bytes.len());
            bytes.copy_within(..end - at, at);
        }
        3 => bytes.extend_from_within(at..),
        _ => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= what;
            }
        }
    }
}

fn names(files: &FaultyFiles) -> Vec<String> {
    let mut names = files.list().expect("a directory can be listed");
    names.sort();
    names
}

/// Writes a log, and says which records it holds: `None` for one whose group was never committed.
fn write(files: &FaultyFiles, script: &[u8]) -> Vec<Vec<u8>> {
    let opened = Log::open(
        Arc::new(files.clone()),
        options(OnDamage::Refuse),
        Start::Oldest,
        |_| Ok(()),
    );
    let (mut log, _) = opened.expect("an empty directory becomes a log");
    let mut written = Vec::new();
    let mut staged = Vec::new();
    for byte in script {
        if *byte > 250 {
            log.commit().expect("a disk without faults takes a commit");
            written.append(&mut staged);
        } else {
            let record = record((written.len() + staged.len()) as u64, *byte);
            log.stage(&[&record]).expect("a short record is taken");
            staged.push(record);
        }
    }
    if script.last().is_some_and(|last| last % 2 == 0) {
        log.commit().expect("a disk without faults takes a commit");
        written.append(&mut staged);
        log.close().expect("a log can be closed");
    }
    written
}

fn check(files: &FaultyFiles, written: &[Vec<u8>], damaged: bool) {
    for on_damage in [OnDamage::Refuse, OnDamage::Quarantine] {
        let files = files.kill();
        let mut read = Vec::new();
        let opened = Log::open(
            Arc::new(files.clone()),
            options(on_damage),
            Start::Oldest,
            |record| {
                read.push((record.sequence.get(), record.payload.to_vec()));
                Ok(())
            },
        );
        for (at, (sequence, payload)) in read.iter().enumerate() {
            let number = *sequence as usize - 1;
            assert_eq!(written.get(number), Some(payload), "record {sequence}");
            assert!(on_damage == OnDamage::Quarantine || number == at);
            assert!(at == 0 || read[at - 1].0 < *sequence);
        }
        match opened {
            Ok((mut log, opened)) => {
                assert_eq!(opened.replayed, read.len() as u64);
                if !damaged {
                    assert_eq!(read.len(), written.len());
                    assert!(opened.quarantined.is_empty());
                }
                // What follows is taken, and read.
                let sequence = log.stage(&[b"next"]).expect("a short record is taken");
                log.commit().expect("a mended log takes a commit");
                assert!(sequence.get() > read.last().map_or(0, |(last, _)| *last));
                drop(log);
                let again = files.kill();
                let mut last = None;
                let opened = Log::open(
                    Arc::new(again),
                    options(on_damage),
                    Start::Oldest,
                    |record| {
                        last = Some((record.sequence, record.payload.to_vec()));
                        Ok(())
                    },
                );
                assert!(opened.is_ok(), "{:?}", opened.err());
                assert_eq!(last, Some((sequence, b"next".to_vec())));
            }
            Err(error) => {
                assert!(damaged, "{error}");
                let is_told = matches!(
                    error,
                    OpenError::Damaged(_) | OpenError::Version { .. } | OpenError::Dropped { .. }
                );
                assert!(is_told, "{error:?}");
            }
        }
    }
}
