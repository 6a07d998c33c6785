//! Checkpoints: whole or refused, the newest wins, and nothing half-written is ever taken for one.

use std::io::{self, Read as _, Write as _};

use guildhall_log::{Damage, OpenError, Sequence, checkpoint, files::Files as _};
use guildhall_testkit::files::{FaultyFiles, WriteFault};

use crate::support::shared;

fn bytes(length: usize) -> Vec<u8> {
    let mut rng = fastrand::Rng::with_seed(length as u64);
    std::iter::repeat_with(|| rng.u8(..)).take(length).collect()
}

fn write(files: &FaultyFiles, name: &str, sequence: u64, content: &[u8]) -> io::Result<u64> {
    let mut writer = checkpoint::Writer::create(shared(files), name, Sequence::new(sequence))?;
    for part in content.chunks(1000) {
        writer.write_all(part)?;
    }
    writer.finish()
}

fn read(files: &FaultyFiles, name: &str) -> Option<(u64, io::Result<Vec<u8>>)> {
    let mut reader = checkpoint::latest(&shared(files), name).unwrap()?;
    let mut content = Vec::new();
    let result = reader.read_to_end(&mut content).map(|_| content);
    Some((reader.sequence().get(), result))
}

#[test]
fn every_length_round_trips() {
    let files = FaultyFiles::new();
    assert!(read(&files, "state").is_none());
    for (sequence, length) in [0, 1, 15, 65_535, 65_536, 65_537, 131_072, 400_000]
        .into_iter()
        .enumerate()
    {
        let sequence = sequence as u64 + 1;
        write(&files, "state", sequence, &bytes(length)).unwrap();
        let (found, content) = read(&files, "state").unwrap();
        assert_eq!((found, content.unwrap()), (sequence, bytes(length)));
    }
    // Each finished one removed those before it.
    assert_eq!(files.list().unwrap().len(), 1);
}

#[test]
fn kinds_do_not_see_each_other() {
    let files = FaultyFiles::new();
    write(&files, "state", 9, b"a").unwrap();
    write(&files, "state_index", 5, b"b").unwrap();
    assert_eq!(read(&files, "state").unwrap().0, 9);
    assert_eq!(read(&files, "state_index").unwrap().0, 5);
    assert!(read(&files, "stat").is_none());
}

#[test]
fn an_unfinished_one_is_no_checkpoint_and_is_cleared_away() {
    let files = FaultyFiles::new();
    write(&files, "state", 1, b"whole").unwrap();
    let writer = checkpoint::Writer::create(shared(&files), "state", Sequence::new(2)).unwrap();
    let left_behind = files.kill();
    drop(writer);
    assert_eq!(files.list().unwrap().len(), 1, "a dropped writer cleans up");
    assert_eq!(left_behind.list().unwrap().len(), 2);
    assert_eq!(read(&left_behind, "state").unwrap().0, 1);
    write(&left_behind, "state", 3, b"next").unwrap();
    assert_eq!(left_behind.list().unwrap().len(), 1);
}

#[test]
fn a_failed_one_leaves_the_former() {
    for failing in 0..4 {
        let files = FaultyFiles::new();
        write(&files, "state", 1, b"former").unwrap();
        match failing {
            0 => files.fail_write(1, WriteFault::Short(9)),
            1 => files.fail_sync(0),
            2 => files.set_space(Some(4096)),
            _ => files.cut_power_after(3),
        }
        write(&files, "state", 2, &bytes(100_000)).unwrap_err();
        for seed in 0..10 {
            let (found, content) = read(&files.crash(seed), "state").unwrap();
            assert_eq!(
                (found, content.unwrap().as_slice()),
                (1, b"former".as_slice())
            );
        }
    }
}

#[test]
fn a_changed_or_shortened_one_is_damage() {
    let files = FaultyFiles::new();
    let content = bytes(150_000);
    write(&files, "state", 4, &content).unwrap();
    let name = files.list().unwrap().remove(0);
    let length = files.contents(&name).unwrap().len();
    for seed in 0..600 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let harmed = files.crash(0);
        let at = rng.usize(..length);
        harmed.corrupt(&name, |bytes| match rng.u8(..3) {
            0 => bytes[at] ^= 1 << rng.u8(..8),
            1 => bytes.truncate(at),
            _ => bytes[at..].fill(0),
        });
        if harmed.contents(&name) == files.contents(&name) {
            continue;
        }
        match checkpoint::latest(&shared(&harmed), "state") {
            Err(OpenError::Damaged(_) | OpenError::Version { .. }) => {}
            Err(other) => panic!("seed {seed}: {other}"),
            Ok(reader) => {
                let mut read = Vec::new();
                let error = reader.unwrap().read_to_end(&mut read).unwrap_err();
                assert_eq!(error.kind(), io::ErrorKind::InvalidData);
                let damage = error
                    .get_ref()
                    .and_then(|source| source.downcast_ref::<Damage>())
                    .unwrap();
                assert!(damage.file.ends_with(&name) && damage.offset <= at as u64);
                assert!(content.starts_with(&read));
            }
        }
    }
}
