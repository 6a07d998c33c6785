//! Failing writes, full disks and failing syncs.

use guildhall_log::{CommitError, Log, Options, Sequence, Start, Zeroing};
use guildhall_testkit::files::{FaultyFiles, WriteFault};

use crate::support::{
    append, append_group, assert_replayed, open, payload, segments, small, try_open,
};

fn stage(log: &mut Log) -> Sequence {
    let next = log.next_sequence();
    log.stage(&[&payload(next.get())]).unwrap()
}

#[test]
fn a_failed_write_is_undone_and_writing_goes_on() {
    for fault in [
        WriteFault::Error,
        WriteFault::Short(0),
        WriteFault::Short(40),
        WriteFault::Short(100_000),
    ] {
        let files = FaultyFiles::new();
        let mut first = open(&files, &small());
        append(&mut first.log, 3);
        files.fail_write(0, fault);
        first.log.stage(&[b"refused"]).unwrap();
        first.log.stage(&[b"refused too"]).unwrap();
        let error = first.log.commit().unwrap_err();
        assert!(
            matches!(error, CommitError::Write { .. }) && error.is_retryable(),
            "{error}"
        );
        assert_eq!(first.log.next_sequence(), Sequence::new(4));
        assert_eq!(first.log.view().durable(), Sequence::new(3));
        // Gone for good, even before anything else is written.
        assert_replayed(&open(&files.crash(1), &small()), 1..=3);
        append(&mut first.log, 2);
        assert_replayed(&open(&files.kill(), &small()), 1..=5);
    }
}

#[test]
fn a_full_disk_refuses_until_space_returns() {
    for spares in [0, 1] {
        let files = FaultyFiles::new();
        let options = Options { spares, ..small() };
        let mut first = open(&files, &options);
        append(&mut first.log, 30);
        files.set_space(Some(10_000));
        let mut acknowledged = 30;
        let error = loop {
            let next = stage(&mut first.log);
            match first.log.commit() {
                Ok(_) => acknowledged = next.get(),
                Err(error) => break error,
            }
        };
        assert!(
            matches!(error, CommitError::Full { .. }) && error.is_retryable(),
            "{error}"
        );
        for _ in 0..20 {
            // A smaller record may still fit where the last did not; nothing may be lost either way.
            let next = stage(&mut first.log);
            if first.log.commit().is_ok() {
                acknowledged = next.get();
            }
        }
        assert_replayed(&open(&files.crash(9), &options), 1..=acknowledged);
        files.set_space(None);
        append(&mut first.log, 30);
        assert_replayed(&open(&files.crash(9), &options), 1..=acknowledged + 30);
    }
}

#[test]
fn dropping_segments_makes_room_on_a_full_disk() {
    let files = FaultyFiles::new();
    let mut first = open(&files, &small());
    append(&mut first.log, 60);
    files.set_space(Some(0));
    while first.log.commit().is_ok() {
        stage(&mut first.log);
    }
    let durable = first.log.view().durable();
    first.log.drop_before(durable).unwrap();
    append(&mut first.log, 10);
    let again = try_open(&files.crash(2), &small(), Start::Oldest).unwrap();
    assert_eq!(again.opened.last, durable.plus(10));
}

#[test]
fn a_failed_sync_makes_the_log_read_only_until_it_is_reopened() {
    let files = FaultyFiles::new();
    let mut first = open(&files, &small());
    append(&mut first.log, 40);
    files.fail_sync(0);
    stage(&mut first.log);
    assert!(matches!(first.log.commit(), Err(CommitError::Sync { .. })));
    assert!(first.log.is_read_only() && first.log.view().stats().snapshot().read_only);
    let syncs = files.counts().syncs;
    for _ in 0..3 {
        stage(&mut first.log);
        let error = first.log.commit().unwrap_err();
        assert!(
            matches!(error, CommitError::ReadOnly) && !error.is_retryable(),
            "{error}"
        );
    }
    assert!(matches!(
        first.log.drop_before(Sequence::new(30)),
        Err(CommitError::ReadOnly)
    ));
    assert_eq!(files.counts().syncs, syncs, "a failed sync was tried again");
    assert_eq!(first.log.view().durable(), Sequence::new(40));

    // After a power loss the group in doubt is gone: its pages never reached the disk.
    assert_replayed(&open(&files.crash(1), &small()), 1..=40);
    // After a kill it is still in the page cache; once replayed it is kept.
    let mut again = open(&files.kill(), &small());
    assert_replayed(&again, 1..=41);
    append(&mut again.log, 1);
}

#[test]
fn a_write_that_cannot_be_undone_makes_the_log_read_only() {
    let files = FaultyFiles::new();
    let mut first = open(&files, &small());
    append(&mut first.log, 3);
    files.fail_write(0, WriteFault::Short(40));
    files.fail_sync(0);
    stage(&mut first.log);
    assert!(matches!(first.log.commit(), Err(CommitError::Sync { .. })));
    stage(&mut first.log);
    assert!(matches!(first.log.commit(), Err(CommitError::ReadOnly)));
}

#[test]
fn a_new_segment_that_cannot_be_begun_is_tried_again() {
    let files = FaultyFiles::new();
    let mut first = open(&files, &small());
    append_group(&mut first.log, 30);
    // The next write is the header of the second segment.
    files.fail_write(0, WriteFault::Short(7));
    stage(&mut first.log);
    assert!(matches!(first.log.commit(), Err(CommitError::Write { .. })));
    assert_eq!(segments(&files).len(), 1);
    append(&mut first.log, 5);
    assert_eq!(segments(&files).len(), 2);
    assert_replayed(&open(&files.crash(5), &small()), 1..=35);
}

#[test]
fn a_directory_that_cannot_be_synced_makes_the_log_read_only() {
    let files = FaultyFiles::new();
    let mut first = open(&files, &small());
    append_group(&mut first.log, 30);
    files.fail_sync_dir(0);
    stage(&mut first.log);
    assert!(matches!(first.log.commit(), Err(CommitError::Sync { .. })));
    assert!(first.log.is_read_only());
    for seed in 0..20 {
        assert_replayed(&open(&files.crash(seed), &small()), 1..=30);
    }
}

#[test]
fn a_spare_that_cannot_be_made_costs_no_commit() {
    let files = FaultyFiles::new();
    let options = Options {
        spares: 1,
        zeroing: Zeroing::Inline,
        ..small()
    };
    let mut first = open(&files, &options);
    for _ in 0..200 {
        files.fail_write(1, WriteFault::Short(100));
        stage(&mut first.log);
        // The commit's own write may be hit as well, when it begins a segment; what matters is that nothing else is.
        let _ = first.log.commit();
    }
    let durable = first.log.view().durable();
    assert_replayed(&open(&files.crash(5), &options), 1..=durable.get());
}

#[test]
fn a_record_that_is_too_long_is_refused_alone() {
    let files = FaultyFiles::new();
    let options = Options {
        max_record: 100,
        ..small()
    };
    let mut first = open(&files, &options);
    stage(&mut first.log);
    let error = first.log.stage(&[&[0; 60], &[0; 41]]).unwrap_err();
    assert_eq!((error.length, error.limit), (101, 100));
    first.log.commit().unwrap();
    assert_replayed(&open(&files, &options), 1..=1);
}
