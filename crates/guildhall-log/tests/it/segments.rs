//! Segments: what goes in comes out, files are recycled, and nothing of an earlier life shows.

use std::{collections::BTreeSet, sync::Arc};

use guildhall_log::{
    Log, OpenError, Options, Sequence, Start, Zeroing,
    files::{Disk, Files as _},
};
use guildhall_testkit::files::{FaultyFiles, WriteFault};

use crate::support::{
    append, append_group, assert_replayed, open, payload, segments, shared, small, try_open,
};

#[test]
fn records_round_trip_across_segments() {
    let files = FaultyFiles::new();
    let mut first = open(&files, &small());
    assert_eq!(first.opened.last, Sequence::NONE);
    append(&mut first.log, 50);
    append_group(&mut first.log, 50);
    let stats = first.log.view().stats().snapshot();
    assert_eq!((stats.commits, stats.records), (51, 100));
    drop(first);
    assert!(segments(&files).len() > 2);
    let again = open(&files, &small());
    assert_replayed(&again, 1..=100);
    assert_eq!(again.log.next_sequence(), Sequence::new(101));
}

#[test]
fn a_record_is_the_concatenation_of_its_parts() {
    let files = FaultyFiles::new();
    let mut first = open(&files, &small());
    let parts: [&[u8]; 4] = [b"one", b"", b" and ", b"two"];
    assert_eq!(first.log.stage(&parts), Ok(Sequence::FIRST));
    assert_eq!(first.log.stage(&[]), Ok(Sequence::new(2)));
    let committed = first.log.commit().unwrap();
    assert_eq!(committed, Some(Sequence::FIRST..=Sequence::new(2)));
    assert_eq!(first.log.commit().unwrap(), None);
    let again = open(&files, &small());
    assert_eq!(
        again.replayed,
        [
            (Sequence::FIRST, b"one and two".to_vec()),
            (Sequence::new(2), Vec::new())
        ]
    );
}

#[test]
fn a_group_longer_than_a_segment_gets_one_of_its_own() {
    let files = FaultyFiles::new();
    let mut first = open(&files, &small());
    append(&mut first.log, 2);
    first.log.stage(&[&[7; 20_000]]).unwrap();
    first.log.commit().unwrap();
    append(&mut first.log, 1);
    let again = open(&files, &small());
    let lengths: Vec<_> = again
        .replayed
        .iter()
        .map(|(_, bytes)| bytes.len())
        .collect();
    assert_eq!(lengths[2], 20_000);
    assert_eq!(again.opened.last, Sequence::new(4));
    assert_eq!(segments(&files).len(), 3);
}

#[test]
fn replay_begins_where_it_is_told() {
    let files = FaultyFiles::new();
    let mut first = open(&files, &small());
    append(&mut first.log, 100);
    drop(first);
    for from in [1, 2, 37, 99, 100] {
        assert_replayed(
            &try_open(&files, &small(), Start::At(Sequence::new(from))).unwrap(),
            from..=100,
        );
    }
    let end = try_open(&files, &small(), Start::At(Sequence::new(101))).unwrap();
    assert!(end.replayed.is_empty());
    assert_eq!(end.opened.oldest, Sequence::FIRST);
}

#[test]
fn an_empty_log_starts_where_the_checkpoint_ends() {
    let files = FaultyFiles::new();
    let start = Start::At(Sequence::new(501));
    let mut first = try_open(&files, &small(), start).unwrap();
    assert_eq!(first.opened.last, Sequence::new(500));
    append(&mut first.log, 2);
    assert_replayed(&try_open(&files, &small(), start).unwrap(), 501..=502);
}

#[test]
fn dropping_keeps_whole_segments_and_a_start_below_them_is_refused() {
    let files = FaultyFiles::new();
    let mut first = open(&files, &small());
    append(&mut first.log, 100);
    let oldest = first.log.drop_before(Sequence::new(60)).unwrap();
    assert!(
        oldest <= Sequence::new(60) && oldest > Sequence::new(30),
        "{oldest}"
    );
    assert_eq!(first.log.view().oldest(), oldest);
    let stats = first.log.view().stats().snapshot();
    assert_eq!(stats.segments, segments(&files).len() as u64);
    assert!(stats.dropped_segments > 0);
    // The segment being written stays, whatever is asked.
    assert!(first.log.drop_before(Sequence::new(1000)).unwrap() <= Sequence::new(100));
    assert_eq!(segments(&files).len(), 1);
    drop(first);
    let again = open(&files.crash(3), &small());
    assert_eq!(again.opened.last, Sequence::new(100));
    let error = try_open(&files, &small(), Start::At(Sequence::new(5))).unwrap_err();
    assert!(
        matches!(error, OpenError::Dropped { wanted, .. } if wanted.get() == 5),
        "{error}"
    );
}

#[test]
fn recycled_segments_never_show_old_frames() {
    let options = Options {
        spares: 2,
        ..small()
    };
    let files = FaultyFiles::new();
    let mut rng = fastrand::Rng::with_seed(7);
    let mut kept = 1;
    let mut last = 0;
    let mut recycled = 0;
    for round in 0..300 {
        let mut again = open(&files, &options);
        assert_replayed(&again, kept..=last);
        for _ in 0..rng.u64(1..6) {
            append_group(&mut again.log, rng.u64(1..8));
        }
        last = again.log.view().durable().get();
        kept = again
            .log
            .drop_before(Sequence::new(last - last.min(20)))
            .unwrap()
            .get();
        recycled += again.log.view().stats().snapshot().recycled;
        if round % 3 == 0 {
            again.log.close().unwrap();
        }
    }
    assert!(recycled > 50, "only {recycled} segments were recycled");
    let names = files.list().unwrap();
    assert!(
        names.iter().filter(|name| name.ends_with(".spare")).count() <= 2,
        "{names:?}"
    );
}

#[test]
fn the_owner_may_refuse_a_record() {
    let files = FaultyFiles::new();
    let mut first = open(&files, &small());
    append(&mut first.log, 3);
    let refused = Log::open(shared(&files), small(), Start::Oldest, |record| {
        if record.sequence.get() == 2 {
            Err("not this one".into())
        } else {
            Ok(())
        }
    });
    assert!(matches!(refused, Err(OpenError::Replay { sequence, .. }) if sequence.get() == 2));
}

#[test]
fn a_real_disk_is_zeroed_in_the_background_and_recycled() {
    let directory = tempfile::tempdir().unwrap();
    let options = Options {
        segment_size: 64 << 10,
        spares: 1,
        zeroing: Zeroing::Background,
        ..Options::default()
    };
    let mut last = 0;
    for _ in 0..3 {
        let files = Arc::new(Disk::open(directory.path()).unwrap());
        let mut next = last + 1;
        let mut oldest = None;
        let (mut log, opened) = Log::open(files, options.clone(), Start::Oldest, |record| {
            let first = *oldest.get_or_insert(record.sequence.get());
            next = next.min(first);
            assert_eq!(record.payload, payload(record.sequence.get()));
            Ok(())
        })
        .unwrap();
        assert_eq!(opened.last.get(), last);
        // How long the zeroing takes is the disk's affair: written is until a spare was ready in time.
        let stats = log.view().stats();
        for group in 0..20_000 {
            append_group(&mut log, 60);
            let durable = log.view().durable().get();
            log.drop_before(Sequence::new(durable.saturating_sub(1500)))
                .unwrap();
            if group > 60 && stats.snapshot().recycled > 1 {
                break;
            }
        }
        last = log.view().durable().get();
        assert!(stats.snapshot().recycled > 1);
        log.close().unwrap();
    }
}

#[test]
fn a_first_segment_is_written_in_strides_and_ends_where_its_records_do() {
    let files = FaultyFiles::new();
    let options = Options {
        segment_size: 1 << 20,
        spares: 1,
        zeroing: Zeroing::Inline,
        ..Options::default()
    };
    let open = |files: &FaultyFiles| {
        Log::open(shared(files), options.clone(), Start::Oldest, |_| Ok(())).unwrap()
    };
    let (mut log, _) = open(&files);
    let length = |files: &FaultyFiles| {
        let name = &segments(files)[0];
        files.contents(name).unwrap().len()
    };
    let mut lengths = BTreeSet::new();
    for _ in 0..400 {
        log.stage(&[&[7; 1000]]).unwrap();
        log.commit().unwrap();
        lengths.insert(length(&files));
    }
    assert!(
        lengths.len() < 6,
        "400 commits grew the file to {lengths:?}"
    );
    // A refused write leaves nothing of itself, nor of the zeroes; the next one grows the file again.
    files.fail_write(0, WriteFault::Short(500));
    log.stage(&[&[8; 1000]]).unwrap();
    log.commit().unwrap_err();
    let cut = length(&files);
    log.stage(&[&[9; 1000]]).unwrap();
    log.commit().unwrap();
    assert!(
        length(&files) > cut + 100_000,
        "{cut}, then {}",
        length(&files)
    );
    drop(log);
    let (_, opened) = open(&files.kill());
    assert_eq!((opened.last.get(), opened.cut), (401, 0));
}
