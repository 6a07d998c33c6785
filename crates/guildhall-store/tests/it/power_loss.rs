//! Random lives of a store on disks that lose power: what was acknowledged is there again, whole and in order; what was
//! refused is not.
//!
//! Each run opens the store, works on it through injected faults until the power goes (on either disk, at any
//! operation), lets a random part of everything unsynced survive, opens again, and compares with the model. A run that
//! skips one kind of sync must be caught, or the test would prove nothing.

use std::time::{Duration, Instant};

use guildhall_store::{
    Blob, BlobError, BlobHash, CommitError, LeaseError, LeaseId, Op, Transaction,
    embedded::{HistoryOptions, Offline, Options},
};
use guildhall_testkit::files::{FaultyFiles, Mutant, WriteFault};

use crate::{
    model::{INCARNATION, Model},
    support::{Disks, small},
};

/// Leases outlive every run: expiry writes the same record as a revocation, which the runs do at will.
const TTL: Duration = Duration::from_secs(100_000);

/// Which disk skips which sync.
#[derive(Clone, Copy, Debug)]
enum Skips {
    Nothing,
    OnLog(Mutant),
    OnBlobs(Mutant),
}

/// What the clients of a store were told.
#[derive(Default)]
struct Clients {
    model: Model,
    /// What was asked for when its outcome could not be known, in order.
    in_doubt: Vec<InDoubt>,
    /// The latest compaction that was acknowledged.
    compacted: u64,
}

#[derive(Clone)]
enum InDoubt {
    Commit(Transaction),
    Grant,
    EndLease(LeaseId),
}

impl Clients {
    /// Finds out which part of what is in doubt came back, and takes it for promised from now on.
    fn settle(&mut self, store: &Offline, now: Instant) -> Result<(), String> {
        let in_doubt = std::mem::take(&mut self.in_doubt);
        let mut compared = self.model.compare(store, now);
        for doubtful in in_doubt {
            if compared.is_ok() {
                break;
            }
            match doubtful {
                InDoubt::Commit(transaction) => drop(self.model.commit(&transaction)),
                InDoubt::Grant => drop(self.model.grant(TTL)),
                InDoubt::EndLease(lease) => drop(self.model.end_lease(lease)),
            }
            compared = self.model.compare(store, now);
        }
        compared
    }
}

fn options(rng: &mut fastrand::Rng) -> Options {
    let mut options = small();
    options.log.segment_size = [1024, 2048, 8192][rng.usize(..3)];
    options.log.spares = rng.usize(..2);
    options.checkpoint_after = [256, 1024, 1 << 20][rng.usize(..3)];
    let revisions = [0, 5, 1000][rng.usize(..3)];
    options.history = HistoryOptions {
        revisions,
        ..HistoryOptions::default()
    };
    options.blob_grace = Duration::from_secs(rng.u64(..3));
    options
}

/// What the runs went through, counted.
#[derive(Default)]
struct Tally {
    losses: u64,
    kills: u64,
    /// Revisions that must be there in the end: acknowledged, or found once and so promised from then on.
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

/// One store's life over several power losses. `Err` says which promise was broken.
fn run(seed: u64, skips: Skips, tally: &mut Tally) -> Result<(), String> {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut disks = Disks::default();
    let mut clients = Clients::default();
    let mut now = Instant::now();
    for round in 0..4 {
        let broken = |promise: String| format!("seed {seed} round {round}: {promise}");
        let options = options(&mut rng);
        skip(&disks, skips);
        if rng.u8(..6) == 0 {
            // Losing power while opening must be no different.
            cut_power(&mut rng, &disks, 25);
            drop(Offline::open(
                disks.directories(),
                &options,
                INCARNATION,
                now,
            ));
            disks = crash(&mut rng, &disks);
            tally.losses += 1;
            skip(&disks, skips);
        }
        let opened = Offline::open(disks.directories(), &options, INCARNATION, now);
        let mut store = opened
            .map_err(|error| broken(format!("{error}: {:?}", std::error::Error::source(&error))))?;
        clients.settle(&store, now).map_err(broken)?;
        check_history(&clients, &store).map_err(broken)?;
        check_blobs(&clients, &store).map_err(broken)?;
        cut_power(&mut rng, &disks, 150);
        for _ in 0..rng.usize(..60) {
            if disks.log.is_off() || disks.blobs.is_off() {
                break;
            }
            step(&mut rng, &disks, &mut store, &mut clients, &mut now).map_err(broken)?;
        }
        check_blobs(&clients, &store)
            .or_else(|promise| {
                if disks.blobs.is_off() {
                    Ok(())
                } else {
                    Err(promise)
                }
            })
            .map_err(broken)?;
        let killed = rng.u8(..4) == 0 && !disks.log.is_off() && !disks.blobs.is_off();
        drop(store);
        tally.kills += u64::from(killed);
        tally.losses += u64::from(!killed);
        disks = if killed {
            Disks {
                log: disks.log.kill(),
                blobs: disks.blobs.kill(),
            }
        } else {
            crash(&mut rng, &disks)
        };
    }
    tally.kept += clients.model.revision();
    Ok(())
}

fn skip(disks: &Disks, skips: Skips) {
    match skips {
        Skips::Nothing => {}
        Skips::OnLog(mutant) => disks.log.set_mutant(Some(mutant)),
        Skips::OnBlobs(mutant) => disks.blobs.set_mutant(Some(mutant)),
    }
}

fn cut_power(rng: &mut fastrand::Rng, disks: &Disks, operations: u64) {
    let disk = if rng.u8(..4) == 0 {
        &disks.blobs
    } else {
        &disks.log
    };
    disk.cut_power_after(rng.u64(1..operations));
}

fn crash(rng: &mut fastrand::Rng, disks: &Disks) -> Disks {
    Disks {
        log: disks.log.crash(rng.u64(..)),
        blobs: disks.blobs.crash(rng.u64(..)),
    }
}

fn check_history(clients: &Clients, store: &Offline) -> Result<(), String> {
    clients.model.compare_history(store)?;
    // How much is kept differs from round to round, so that only what was asked for explicitly is a bound for all.
    let compacted = store.status().compacted;
    if compacted < clients.compacted {
        return Err(format!(
            "history begins after {compacted}, compacted was {}",
            clients.compacted
        ));
    }
    Ok(())
}

fn check_blobs(clients: &Clients, store: &Offline) -> Result<(), String> {
    for entry in clients.model.entries.values() {
        for hash in &entry.blobs {
            match store.blob_get(*hash) {
                Ok(Some(_)) => {}
                other => {
                    return Err(format!(
                        "the blob of {:?} came back as {other:?}",
                        entry.key
                    ));
                }
            }
        }
    }
    Ok(())
}

/// Does one thing. `Err` when the store did what it must not.
fn step(
    rng: &mut fastrand::Rng,
    disks: &Disks,
    store: &mut Offline,
    clients: &mut Clients,
    now: &mut Instant,
) -> Result<(), String> {
    let disk = |rng: &mut fastrand::Rng| -> FaultyFiles {
        if rng.u8(..4) == 0 {
            disks.blobs.clone()
        } else {
            disks.log.clone()
        }
    };
    match rng.u8(..40) {
        0 => drop(store.checkpoint(*now)),
        1 => disk(rng).fail_write(rng.u64(..3), WriteFault::Error),
        2 => disk(rng).fail_write(rng.u64(..3), WriteFault::Short(rng.usize(..500))),
        3 => disk(rng).set_space(Some(rng.u64(..20_000))),
        4 => {
            disks.log.set_space(None);
            disks.blobs.set_space(None);
            *now += Duration::from_secs(1);
            store.tick(*now);
        }
        5 if rng.u8(..4) == 0 => disk(rng).fail_sync(rng.u64(..3)),
        6 if rng.u8(..4) == 0 => disk(rng).fail_sync_dir(rng.u64(..2)),
        7 | 8 => grant(store, clients, *now),
        9 => end_lease(store, clients, LeaseId::new(rng.u64(1..8)).unwrap(), *now),
        10 => {
            let revision = clients.model.revision().saturating_sub(rng.u64(..10));
            if store.compact(revision, *now).is_ok() {
                clients.compacted = clients.compacted.max(revision);
            }
        }
        11 => {
            *now += Duration::from_secs(rng.u64(..5));
            store.tick(*now);
        }
        _ => return commit(rng, store, clients, *now),
    }
    Ok(())
}

fn grant(store: &mut Offline, clients: &mut Clients, now: Instant) {
    match store.lease_grant(TTL, now) {
        Ok(lease) => assert_eq!(clients.model.grant(TTL), lease),
        Err(LeaseError::Unknowable(_)) => clients.in_doubt.push(InDoubt::Grant),
        Err(_) => {}
    }
}

fn end_lease(store: &mut Offline, clients: &mut Clients, lease: LeaseId, now: Instant) {
    match store.lease_revoke(lease, now) {
        Ok(()) => assert!(clients.model.end_lease(lease)),
        Err(LeaseError::Unknowable(_)) => clients.in_doubt.push(InDoubt::EndLease(lease)),
        Err(_) => {}
    }
}

fn commit(
    rng: &mut fastrand::Rng,
    store: &mut Offline,
    clients: &mut Clients,
    now: Instant,
) -> Result<(), String> {
    let count = rng.usize(1..5);
    let group: Vec<Transaction> = (0..count)
        .map(|_| transaction(rng, store, clients, now))
        .collect();
    let outcomes = store.commit(group.clone(), now);
    for (transaction, outcome) in group.into_iter().zip(outcomes) {
        match outcome {
            Err(CommitError::Unknown(_)) => clients.in_doubt.push(InDoubt::Commit(transaction)),
            Err(
                CommitError::ReadOnly(_)
                | CommitError::BlobMissing { .. }
                | CommitError::Blob(BlobError::Io { .. }),
            ) => {}
            outcome => {
                let expected = clients.model.commit(&transaction);
                if outcome != expected {
                    return Err(format!(
                        "{transaction:?} came to {outcome:?} instead of {expected:?}"
                    ));
                }
            }
        }
    }
    Ok(())
}

fn transaction(
    rng: &mut fastrand::Rng,
    store: &mut Offline,
    clients: &Clients,
    now: Instant,
) -> Transaction {
    let mut transaction = Transaction::new();
    let count = rng.usize(1..4);
    let keys = rng.choose_multiple(0..12u8, count);
    for key in keys {
        let key = format!("k{key}");
        let lease = LeaseId::new(rng.u64(1..8))
            .filter(|lease| rng.bool() && clients.model.leases.contains_key(lease));
        let blobs = match rng.u8(..10) {
            0 => blob(rng, store, now).into_iter().collect(),
            1 => {
                let blob = Blob::of(content(rng).into());
                let hash = blob.hash();
                transaction = transaction.bring(blob);
                vec![hash]
            }
            _ => Vec::new(),
        };
        let most = [40, 400, 3000][rng.usize(..3)];
        let value = vec![rng.u8(..); rng.usize(..most)];
        transaction = transaction.then(match rng.u8(..4) {
            0 => Op::delete(key),
            _ => Op::Put {
                key: key.into(),
                value: value.into(),
                lease,
                blobs,
            },
        });
    }
    transaction
}

/// A content of which there are few, so that they are put, freed and collected again and again.
fn content(rng: &mut fastrand::Rng) -> Vec<u8> {
    let length = [100, 1500, 6000][rng.usize(..3)];
    vec![rng.u8(..4); length]
}

fn blob(rng: &mut fastrand::Rng, store: &mut Offline, now: Instant) -> Option<BlobHash> {
    match store.blob_put(&content(rng), now) {
        Ok(hash) => Some(hash),
        Err(BlobError::Io { .. }) => None,
        Err(error) => panic!("{error}"),
    }
}

/// Runs many seeds on both cores.
fn runs(seeds: std::ops::Range<u64>, skips: Skips) -> Tally {
    let half = seeds.start.midpoint(seeds.end);
    let check = |seeds: std::ops::Range<u64>| {
        let mut tally = Tally::default();
        for seed in seeds {
            if let Err(promise) = run(seed, skips, &mut tally) {
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

/// More, by hand: `GUILDHALL_POWER_LOSS_RUNS=100000 cargo test --release -p guildhall-store power_loss`
#[test]
fn nothing_acknowledged_is_lost_and_nothing_refused_comes_back() {
    let count =
        std::env::var("GUILDHALL_POWER_LOSS_RUNS").map_or(1000, |runs| runs.parse().unwrap());
    let tally = runs(0..count, Skips::Nothing);
    println!(
        "verified: store, power loss: {count} runs (seeds 0 to {}) with {} power losses and {} kills; {} revisions to be \
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
fn must_be_caught(skips: Skips) {
    let broken = runs(0..200, skips).broken.len();
    println!("verified: store, power loss, mutant {skips:?}: caught in {broken} of 200 runs");
    assert!(broken > 0, "{skips:?} went unnoticed");
}

#[test]
fn a_store_that_skips_the_sync_of_records_is_caught() {
    must_be_caught(Skips::OnLog(Mutant::SkipDataSync(".log")));
}

#[test]
fn a_store_that_skips_the_sync_of_checkpoints_is_caught() {
    must_be_caught(Skips::OnLog(Mutant::SkipDataSync(".checkpoint.tmp")));
}

#[test]
fn a_store_that_skips_the_sync_of_its_directory_is_caught() {
    must_be_caught(Skips::OnLog(Mutant::SkipDirSync));
}

#[test]
fn a_store_that_skips_the_sync_of_blobs_is_caught() {
    must_be_caught(Skips::OnBlobs(Mutant::SkipDataSync(".log")));
}

#[test]
fn a_store_that_skips_the_sync_of_its_blobs_directory_is_caught() {
    must_be_caught(Skips::OnBlobs(Mutant::SkipDirSync));
}
