//! Opening logs on faulty files, and the shorthand that most tests share.

use std::sync::Arc;

use guildhall_log::{
    Log, OnDamage, OpenError, Opened, Options, Sequence, Start, Zeroing, files::Files,
};
use guildhall_testkit::files::FaultyFiles;

/// Small segments, no spares, nothing in the background.
pub(crate) fn small() -> Options {
    Options {
        segment_size: 4096,
        spares: 0,
        zeroing: Zeroing::Inline,
        ..Options::default()
    }
}

pub(crate) fn quarantining() -> Options {
    Options {
        on_damage: OnDamage::Quarantine,
        ..small()
    }
}

pub(crate) struct Open {
    pub(crate) log: Log,
    pub(crate) opened: Opened,
    pub(crate) replayed: Vec<(Sequence, Vec<u8>)>,
}

impl std::fmt::Debug for Open {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.opened.fmt(f)
    }
}

pub(crate) fn shared(files: &FaultyFiles) -> Arc<dyn Files> {
    Arc::new(files.clone())
}

pub(crate) fn try_open(
    files: &FaultyFiles,
    options: &Options,
    start: Start,
) -> Result<Open, OpenError> {
    let mut replayed = Vec::new();
    let (log, opened) = Log::open(shared(files), options.clone(), start, |record| {
        replayed.push((record.sequence, record.payload.to_vec()));
        Ok(())
    })?;
    Ok(Open {
        log,
        opened,
        replayed,
    })
}

pub(crate) fn open(files: &FaultyFiles, options: &Options) -> Open {
    try_open(files, options, Start::Oldest).unwrap()
}

/// The payload of record `n` in tests that only need them to differ.
pub(crate) fn payload(n: u64) -> Vec<u8> {
    let mut bytes = format!("record {n} ").into_bytes();
    bytes.resize(bytes.len() + (n as usize * 37) % 200, n as u8);
    bytes
}

/// Appends records, one group each.
pub(crate) fn append(log: &mut Log, count: u64) {
    for _ in 0..count {
        let next = log.next_sequence();
        log.stage(&[&payload(next.get())]).unwrap();
        log.commit().unwrap();
    }
}

/// Appends records as one group.
pub(crate) fn append_group(log: &mut Log, count: u64) {
    for _ in 0..count {
        let next = log.next_sequence();
        log.stage(&[&payload(next.get())]).unwrap();
    }
    log.commit().unwrap();
}

/// Asserts that exactly these records, with the payloads of [`append`], were replayed.
pub(crate) fn assert_replayed(open: &Open, sequences: std::ops::RangeInclusive<u64>) {
    let expected: Vec<_> = sequences.map(|n| (Sequence::new(n), payload(n))).collect();
    assert_eq!(open.replayed, expected);
}

/// The names of the segments, oldest first.
pub(crate) fn segments(files: &FaultyFiles) -> Vec<String> {
    let mut names = files.list().unwrap();
    names.retain(|name| name.ends_with(".log"));
    names
}
