//! Torn tails: whatever a power loss leaves of the last group is cut, and never comes back.

use guildhall_log::Sequence;
use guildhall_testkit::files::FaultyFiles;

use crate::support::{Open, append, append_group, assert_replayed, open, payload, segments, small};

const FIRST: &str = "00000000000000000001.log";

#[test]
fn every_truncation_leaves_a_prefix_and_a_log_that_goes_on() {
    let files = FaultyFiles::new();
    let Open { mut log, .. } = open(&files, &small());
    append(&mut log, 6);
    let synced = files.contents(FIRST).unwrap().len();
    append_group(&mut log, 5);
    let whole = files.contents(FIRST).unwrap();
    for length in 512..=whole.len() {
        let cut = files.crash(0);
        cut.corrupt(FIRST, |bytes| bytes.truncate(length));
        let mut again = open(&cut, &small());
        let kept = again.replayed.len() as u64;
        assert_replayed(&again, 1..=kept);
        assert!(
            length < synced || kept >= 6,
            "a cut at {length} of {} took synced records",
            whole.len()
        );
        append(&mut again.log, 1);
        assert_replayed(&open(&cut.kill(), &small()), 1..=kept + 1);
    }
}

#[test]
fn a_tail_of_zeroes_is_cut() {
    let files = FaultyFiles::new();
    let mut first = open(&files, &small());
    append_group(&mut first.log, 3);
    files.corrupt(FIRST, |bytes| bytes.resize(bytes.len() + 5000, 0));
    let again = open(&files, &small());
    assert_replayed(&again, 1..=3);
    assert_eq!(again.opened.cut, 0);
    assert!(!again.opened.clean);
}

#[test]
fn survivors_of_a_torn_group_are_cut_for_good() {
    // Frames of one sector each: the second and third of a group arrive, the first does not.
    let files = FaultyFiles::new();
    let mut first = open(&files, &small());
    let sector = |fill: u8| vec![fill; 512 - 24];
    for fill in [1, 2, 3] {
        first.log.stage(&[&sector(fill)]).unwrap();
    }
    first.log.commit().unwrap();
    files.corrupt(FIRST, |bytes| bytes[512..1024].fill(0));

    let mut again = open(&files, &small());
    assert_eq!((again.replayed.len(), again.opened.cut), (0, 1536));
    again.log.stage(&[&sector(9)]).unwrap();
    again.log.commit().unwrap();

    let last = open(&files.crash(1), &small());
    assert_eq!(last.replayed, [(Sequence::FIRST, sector(9))]);
}

#[test]
fn what_was_replayed_after_a_kill_survives_a_power_loss() {
    for seed in 0..50 {
        let files = FaultyFiles::new();
        let mut first = open(&files, &small());
        append(&mut first.log, 2);
        // The sync of this group fails, so that only the page cache has it; then the process is killed.
        files.fail_sync(0);
        first.log.stage(&[&payload(3)]).unwrap();
        first.log.commit().unwrap_err();
        let killed = files.kill();
        assert_replayed(&open(&killed, &small()), 1..=3);
        assert_replayed(&open(&killed.crash(seed), &small()), 1..=3);
    }
}

#[test]
fn a_closed_log_says_so() {
    let files = FaultyFiles::new();
    let mut first = open(&files, &small());
    append(&mut first.log, 2);
    first.log.close().unwrap();
    let files = files.crash(3);
    let mut again = open(&files, &small());
    assert!(again.opened.clean);
    assert_replayed(&again, 1..=2);
    append(&mut again.log, 2);
    drop(again);
    let last = open(&files, &small());
    assert!(!last.opened.clean);
    assert_replayed(&last, 1..=4);
    assert_eq!(segments(&files), [FIRST]);
}
