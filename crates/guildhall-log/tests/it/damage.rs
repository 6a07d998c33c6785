//! Damage to synced data: refused with file and offset, or set aside and counted; never passed over in silence.

use guildhall_log::{OpenError, Options, Sequence, Start};
use guildhall_testkit::files::FaultyFiles;

use crate::support::{
    Open, append, append_group, assert_replayed, open, payload, quarantining, segments, small,
    try_open,
};

/// Three groups a segment, several segments, closed.
fn written(options: &Options) -> (FaultyFiles, u64) {
    let files = FaultyFiles::new();
    let Open { mut log, .. } = open(&files, options);
    for _ in 0..20 {
        append_group(&mut log, 5);
    }
    log.close().unwrap();
    (files, 100)
}

/// Flips a bit or zeroes up to a page of one segment; returns its name and where.
fn harm(rng: &mut fastrand::Rng, files: &FaultyFiles, spare_end: usize) -> (String, usize) {
    let name = rng.choice(segments(files)).unwrap();
    let length = files.contents(&name).unwrap().len() - spare_end;
    let at = rng.usize(..length);
    if rng.bool() {
        files.corrupt(&name, |bytes| bytes[at] ^= 1 << rng.u8(..8));
        return (name, at);
    }
    let at = at / 512 * 512;
    let end = (at + *rng.choice(&[512, 4096]).unwrap()).min(length);
    files.corrupt(&name, |bytes| bytes[at..end].fill(0));
    (name, at)
}

#[test]
fn a_closed_log_is_whole_or_refused_by_name() {
    let (files, records) = written(&small());
    let mut refused = 0;
    for seed in 0..3000 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let files = files.crash(0);
        // The closing frame is spared: without it the last group has no witness.
        let (name, at) = harm(&mut rng, &files, 24);
        match try_open(&files, &small(), Start::Oldest) {
            Ok(open) => assert_replayed(&open, 1..=records),
            Err(OpenError::Damaged(damage)) => {
                refused += 1;
                assert!(damage.file.ends_with(&name), "{damage} instead of {name}");
                assert!(damage.offset <= at as u64 + 8, "{damage}, harmed at {at}");
            }
            Err(other) => panic!("seed {seed}: {other}"),
        }
    }
    assert!(refused > 2000, "only {refused} were noticed");
}

#[test]
fn a_log_that_was_not_closed_loses_at_most_its_last_group() {
    let files = FaultyFiles::new();
    let mut first = open(&files, &small());
    for _ in 0..20 {
        append_group(&mut first.log, 5);
    }
    for seed in 0..2000 {
        let files = files.crash(0);
        harm(&mut fastrand::Rng::with_seed(seed), &files, 0);
        match try_open(&files, &small(), Start::Oldest) {
            Ok(open) => {
                assert!(
                    open.replayed.len() >= 95,
                    "seed {seed}: {} came back",
                    open.replayed.len()
                );
                assert_replayed(&open, 1..=open.replayed.len() as u64);
            }
            Err(OpenError::Damaged(_)) => {}
            Err(other) => panic!("seed {seed}: {other}"),
        }
    }
}

#[test]
fn quarantine_goes_on_with_every_readable_record_and_counts() {
    let (files, records) = written(&quarantining());
    let mut lossy = 0;
    for seed in 0..1000 {
        let files = files.crash(0);
        harm(&mut fastrand::Rng::with_seed(seed), &files, 24);
        let mut again = open(&files, &quarantining());
        let lost = records as usize - again.replayed.len();
        assert_eq!(
            lost > 0,
            !again.opened.quarantined.is_empty(),
            "seed {seed}"
        );
        for (sequence, bytes) in &again.replayed {
            assert_eq!(*bytes, payload(sequence.get()));
        }
        assert!(again.replayed.is_sorted_by(|a, b| a.0 < b.0));
        assert!(
            again.log.next_sequence() > Sequence::new(records),
            "seed {seed}: a sequence is given out twice"
        );
        if lost > 0 {
            lossy += 1;
            assert_eq!(
                again.log.view().stats().snapshot().quarantined,
                again.opened.quarantined.len() as u64
            );
            assert!(
                guildhall_log::files::Files::list(&files)
                    .unwrap()
                    .iter()
                    .any(|name| name.ends_with(".damaged"))
            );
        }
        // Readers see the same records, the log takes more, and all of that is there the next time.
        append(&mut again.log, 3);
        let mut reader = again.log.view().reader(again.log.view().oldest()).unwrap();
        let mut read = Vec::new();
        while let Some(record) = reader.try_next().unwrap() {
            read.push((record.sequence, record.payload.to_vec()));
        }
        drop(again.log);
        let last = open(&files, &quarantining());
        assert_eq!(last.replayed, read, "seed {seed}");
        assert_eq!(last.replayed.len(), again.replayed.len() + 3, "seed {seed}");
    }
    assert!(lossy > 500);
}

#[test]
fn a_missing_segment_is_damage() {
    let (files, _) = written(&small());
    let names = segments(&files);
    guildhall_log::files::Files::remove(&files, &names[1]).unwrap();
    let error = try_open(&files, &small(), Start::Oldest).unwrap_err();
    assert!(
        matches!(&error, OpenError::Damaged(damage) if damage.file.ends_with(&names[1])),
        "{error}"
    );
    let again = open(&files, &quarantining());
    assert_eq!(again.opened.quarantined.len(), 1);
    assert_eq!(again.opened.last, Sequence::new(100));
}

#[test]
fn a_newer_format_is_neither_damage_nor_quarantined() {
    let (files, _) = written(&small());
    let name = segments(&files).remove(1);
    files.corrupt(&name, |bytes| {
        bytes[8] = 2;
        let crc = crc32c::crc32c_append(crc32c::crc32c(&bytes[..12]), &bytes[16..64]);
        bytes[12..16].copy_from_slice(&crc.to_le_bytes());
    });
    for options in [small(), quarantining()] {
        let error = try_open(&files, &options, Start::Oldest).unwrap_err();
        assert!(
            matches!(
                error,
                OpenError::Version {
                    found: 2,
                    supported: 1,
                    ..
                }
            ),
            "{error}"
        );
    }
}

#[test]
fn a_log_that_ends_before_its_checkpoint_is_damaged() {
    let (files, records) = written(&small());
    let start = Start::At(Sequence::new(records + 11));
    let error = try_open(&files, &small(), start).unwrap_err();
    assert!(matches!(error, OpenError::Damaged(_)), "{error}");
    let mut again = try_open(&files, &quarantining(), start).unwrap();
    assert_eq!(again.log.next_sequence(), Sequence::new(records + 11));
    append(&mut again.log, 1);
    drop(again);
    let last = try_open(&files, &quarantining(), start).unwrap();
    assert_replayed(&last, records + 11..=records + 11);
}
