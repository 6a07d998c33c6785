//! Random owners on a disk that loses power: whatever was acknowledged is there again, and nothing that was refused.
//!
//! Each run drives a log the way the control store does (groups, checkpoints, dropping), cuts the power somewhere, lets a
//! random part of everything unsynced survive, recovers, compares with what was promised, and goes on from there. A run
//! that skips one kind of sync must be caught, or the test would prove nothing.

use std::io::{Read as _, Write as _};

use guildhall_log::{CommitError, Log, Options, Sequence, Start, Zeroing, checkpoint};
use guildhall_testkit::files::{FaultyFiles, Mutant, WriteFault};

use crate::support::{self, shared};

/// What an owner knows: every record it was promised, and a digest of all up to each.
#[derive(Default)]
struct Owner {
    records: Vec<Vec<u8>>,
    digests: Vec<u64>,
    /// The group whose commit was neither acknowledged nor refused.
    in_doubt: Vec<Vec<u8>>,
    /// The newest checkpoint that was acknowledged.
    checkpoint: u64,
}

impl Owner {
    fn digest(&self, sequence: u64) -> u64 {
        sequence
            .checked_sub(1)
            .map_or(0, |at| self.digests[at as usize])
    }

    fn push(&mut self, record: Vec<u8>) {
        let next = chain(self.digest(self.records.len() as u64), &record);
        self.digests.push(next);
        self.records.push(record);
    }
}

fn chain(digest: u64, record: &[u8]) -> u64 {
    record
        .iter()
        .fold(digest ^ 0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
        })
}

fn options(rng: &mut fastrand::Rng) -> Options {
    Options {
        segment_size: *rng.choice(&[2048, 4096, 9000, 20_000]).unwrap_or(&4096),
        spares: rng.usize(..3),
        zeroing: Zeroing::Inline,
        ..Options::default()
    }
}

/// A record: noise, zeroes, or a piece of the log itself that imitates frames. In a uniform run each frame is exactly a
/// sector, so that survivors of a torn group stand exactly where later frames will end.
fn record(rng: &mut fastrand::Rng, files: &FaultyFiles, uniform: bool) -> Vec<u8> {
    let length = match rng.u8(..20) {
        _ if uniform => 512 - 24,
        0 => rng.usize(..6000),
        1..4 => 0,
        _ => rng.usize(..300),
    };
    match rng.u8(..8) {
        0 => vec![0; length],
        1 => {
            let last = support::segments(files)
                .last()
                .and_then(|name| files.contents(name))
                .unwrap_or_default();
            let from = rng.usize(..=last.len() / 8) * 8;
            last[from..]
                .iter()
                .copied()
                .chain(std::iter::repeat(0))
                .take(length)
                .collect()
        }
        _ => std::iter::repeat_with(|| rng.u8(..)).take(length).collect(),
    }
}

/// What the runs went through, counted.
#[derive(Default)]
struct Tally {
    losses: u64,
    kills: u64,
    /// Records that must be there in the end: acknowledged, or found once and so promised from then on.
    kept: u64,
    /// Promises that were broken, described.
    broken: Vec<String>,
}

impl Tally {
    fn add(&mut self, other: Self) {
        self.losses += other.losses;
        self.kills += other.kills;
        self.kept += other.kept;
        self.broken.extend(other.broken);
    }
}

/// One owner's life over several power losses. `Err` says which promise was broken.
fn run(seed: u64, mutant: Option<Mutant>, tally: &mut Tally) -> Result<(), String> {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut files = FaultyFiles::new();
    let mut owner = Owner::default();
    let uniform = rng.u8(..3) == 0;
    for round in 0..5 {
        files.set_mutant(mutant);
        let options = options(&mut rng);
        if rng.u8(..6) == 0 {
            // Losing power while recovering must be no different.
            files.cut_power_after(rng.u64(..12));
            let _ = recover(&files, &options, &mut owner);
            files = files.crash(rng.u64(..));
            tally.losses += 1;
            files.set_mutant(mutant);
        }
        let log = recover(&files, &options, &mut owner)
            .map_err(|broken| format!("seed {seed} round {round}: {broken}"))?;
        files.cut_power_after(rng.u64(1..120));
        let log = work(&mut rng, &files, log, &mut owner, uniform);
        let killed = !files.is_off() && rng.bool();
        if killed && let Some(log) = log {
            let _ = if rng.bool() { log.close() } else { Ok(()) };
        }
        tally.kills += u64::from(killed);
        tally.losses += u64::from(!killed);
        files = if killed {
            files.kill()
        } else {
            files.crash(rng.u64(..))
        };
    }
    tally.kept += owner.records.len() as u64;
    Ok(())
}

/// Opens as the control store does and compares what comes back with what was promised.
fn recover(files: &FaultyFiles, options: &Options, owner: &mut Owner) -> Result<Log, String> {
    let files = shared(files);
    let checkpoint = checkpoint::latest(&files, "state").map_err(|error| error.to_string())?;
    let (at, mut digest) = match checkpoint {
        None => (0, 0),
        Some(mut reader) => {
            let mut bytes = Vec::new();
            reader
                .read_to_end(&mut bytes)
                .map_err(|error| error.to_string())?;
            let stated = bytes
                .first_chunk()
                .map_or(0, |bytes| u64::from_le_bytes(*bytes));
            (reader.sequence().get(), stated)
        }
    };
    if at < owner.checkpoint {
        return Err(format!(
            "checkpoint {} was acknowledged, {at} came back",
            owner.checkpoint
        ));
    }
    if at > owner.records.len() as u64 || digest != owner.digest(at) {
        return Err(format!("checkpoint {at} is not what was written"));
    }
    let mut came_back = Vec::new();
    let (log, opened) = Log::open(
        files,
        options.clone(),
        Start::At(Sequence::new(at + 1)),
        |record| {
            if record.sequence.get() != at + 1 + came_back.len() as u64 {
                return Err(format!(
                    "record {} after {}",
                    record.sequence,
                    at + came_back.len() as u64
                )
                .into());
            }
            digest = chain(digest, record.payload);
            came_back.push(record.payload.to_vec());
            Ok(())
        },
    )
    .map_err(|error| format!("{error}: {:?}", std::error::Error::source(&error)))?;
    let last = at + came_back.len() as u64;
    let promised = owner.records.len() as u64;
    if opened.last.get() != last {
        return Err(format!(
            "the last record is {last}, the report says {}",
            opened.last
        ));
    }
    if last < promised {
        return Err(format!(
            "{promised} records were acknowledged, {last} came back"
        ));
    }
    // What was in doubt may be there, from its beginning; from now on it is promised as well.
    for record in std::mem::take(&mut owner.in_doubt)
        .into_iter()
        .take((last - promised) as usize)
    {
        owner.push(record);
    }
    if last > owner.records.len() as u64 {
        return Err(format!(
            "{} records were ever written, {last} came back",
            owner.records.len()
        ));
    }
    if digest != owner.digest(last) {
        return Err("records came back changed".to_owned());
    }
    owner.checkpoint = at;
    Ok(log)
}

/// Works until something ends it; the log is returned if it is still fit for use.
fn work(
    rng: &mut fastrand::Rng,
    files: &FaultyFiles,
    mut log: Log,
    owner: &mut Owner,
    uniform: bool,
) -> Option<Log> {
    for _ in 0..rng.usize(..60) {
        match rng.u8(..24) {
            0 => {
                if let Ok(at) = write_checkpoint(files, owner) {
                    owner.checkpoint = at;
                    if log.drop_before(Sequence::new(at + 1)).is_err() && log.is_read_only() {
                        return None;
                    }
                }
            }
            1 => files.fail_write(rng.u64(..3), WriteFault::Error),
            2 => files.fail_write(rng.u64(..3), WriteFault::Short(rng.usize(..500))),
            3 => files.set_space(Some(rng.u64(..20_000))),
            4 => files.set_space(None),
            5 if rng.u8(..4) == 0 => files.fail_sync(rng.u64(..3)),
            6 if rng.u8(..4) == 0 => files.fail_sync_dir(rng.u64(..2)),
            _ => {
                let group: Vec<_> = (0..rng.usize(1..6))
                    .map(|_| record(rng, files, uniform))
                    .collect();
                for record in &group {
                    log.stage(&[record]).ok()?;
                }
                match log.commit() {
                    Ok(_) => group.into_iter().for_each(|record| owner.push(record)),
                    // The caller was told that nothing of it was kept.
                    Err(
                        CommitError::Full { .. }
                        | CommitError::Write { .. }
                        | CommitError::ReadOnly,
                    ) => {}
                    Err(CommitError::Sync { .. }) => {
                        owner.in_doubt = group;
                        log.stage(&[b"late"]).ok()?;
                        assert!(
                            matches!(log.commit(), Err(CommitError::ReadOnly)),
                            "a failed sync was retried"
                        );
                        return None;
                    }
                }
            }
        }
        if files.is_off() {
            return None;
        }
    }
    Some(log)
}

fn write_checkpoint(files: &FaultyFiles, owner: &Owner) -> std::io::Result<u64> {
    let at = owner.records.len() as u64;
    let mut writer = checkpoint::Writer::create(shared(files), "state", Sequence::new(at))?;
    writer.write_all(&owner.digest(at).to_le_bytes())?;
    writer.write_all(&vec![7; 3000])?;
    writer.finish()?;
    Ok(at)
}

/// Runs many seeds on both cores.
fn runs(seeds: std::ops::Range<u64>, mutant: Option<Mutant>) -> Tally {
    let half = seeds.start.midpoint(seeds.end);
    let check = |seeds: std::ops::Range<u64>| {
        let mut tally = Tally::default();
        for seed in seeds {
            if let Err(promise) = run(seed, mutant, &mut tally) {
                tally.broken.push(promise);
            }
        }
        tally
    };
    std::thread::scope(|scope| {
        let first = scope.spawn(|| check(seeds.start..half));
        let mut all = check(half..seeds.end);
        all.add(first.join().unwrap());
        all
    })
}

/// More, by hand: `GUILDHALL_POWER_LOSS_RUNS=100000 cargo test --release -p guildhall-log power_loss`
#[test]
fn nothing_acknowledged_is_lost_and_nothing_refused_comes_back() {
    let count =
        std::env::var("GUILDHALL_POWER_LOSS_RUNS").map_or(2000, |runs| runs.parse().unwrap());
    let tally = runs(0..count, None);
    println!(
        "verified: log, power loss: {count} runs (seeds 0 to {}) with {} power losses and {} kills; {} records to be \
         kept; {} runs broke a promise",
        count - 1,
        tally.losses,
        tally.kills,
        tally.kept,
        tally.broken.len(),
    );
    assert!(tally.broken.is_empty(), "the first: {}", tally.broken[0]);
}

#[track_caller]
#[expect(clippy::print_stdout, reason = "a count of the test's")]
fn must_be_caught(mutant: Mutant) {
    let broken = runs(0..150, Some(mutant)).broken.len();
    println!("verified: log, power loss, mutant {mutant:?}: caught in {broken} of 150 runs");
    assert!(broken > 0, "{mutant:?} went unnoticed");
}

#[test]
fn a_log_that_skips_the_sync_of_records_is_caught() {
    must_be_caught(Mutant::SkipDataSync(".log"));
}

#[test]
fn a_log_that_skips_the_sync_of_a_new_segment_is_caught() {
    must_be_caught(Mutant::SkipDataSync(".spare"));
}

#[test]
fn a_log_that_skips_the_sync_of_a_checkpoint_is_caught() {
    must_be_caught(Mutant::SkipDataSync(".checkpoint.tmp"));
}

#[test]
fn a_log_that_skips_directory_syncs_is_caught() {
    must_be_caught(Mutant::SkipDirSync);
}
