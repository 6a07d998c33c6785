//! A process that commits for several clients is killed again and again: what it had acknowledged is there, whole, and
//! whoever watches on sees every revision.
//!
//! `GUILDHALL_TEST_CYCLES=5000 cargo test --release -p guildhall-store kill -- --nocapture` for a long run.

use std::{path::Path, sync::Arc, time::Duration};

use guildhall_store::{
    Store,
    embedded::{Directories, Embedded},
};
use guildhall_testkit::process::{Worker, argument, report};

use crate::ledger::{Acknowledged, CLIENTS, Ledger, options, work};

/// The process that is killed.
#[test]
fn worker() {
    let Some(directory) = argument() else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .build()
        .unwrap();
    runtime.block_on(async {
        let store: Arc<dyn Store> = Arc::new(Embedded::open(directory, options()).unwrap());
        let clients =
            (0..CLIENTS).map(|client| tokio::spawn(work(Arc::clone(&store), client, acknowledge)));
        let (ended, _, _) = futures_util::future::select_all(clients).await;
        panic!("a client ended: {}", ended.unwrap());
    });
}

fn acknowledge(client: u64, number: u64, revision: u64) {
    report(&format!("{client} {number} {revision}"));
}

fn read(acknowledged: &mut Acknowledged, line: &str) {
    let numbers: Vec<u64> = line
        .split(' ')
        .map(|number| number.parse().unwrap())
        .collect();
    let [client, number, revision] = numbers[..] else {
        panic!("{line:?}")
    };
    assert_eq!(
        acknowledged.insert(revision, (client, number)),
        None,
        "a revision acknowledged twice"
    );
}

/// Runs the worker until it is killed: after a number of reports, or at some moment of its start.
fn live_and_die(rng: &mut fastrand::Rng, directory: &Path) -> Acknowledged {
    let mut acknowledged = Acknowledged::new();
    let mut worker = Worker::spawn("kill::worker", directory.to_str().unwrap()).unwrap();
    if rng.u8(..4) == 0 {
        std::thread::sleep(Duration::from_micros(rng.u64(..40_000)));
    } else {
        for _ in 0..rng.usize(1..120) {
            let line = worker.next_report().expect("the worker ended by itself");
            read(&mut acknowledged, &line);
        }
    }
    worker
        .kill()
        .unwrap()
        .iter()
        .for_each(|line| read(&mut acknowledged, line));
    acknowledged
}

/// Directories at once, each with a life of its own: a life mostly waits for the disk.
const LANES: u64 = 4;
/// The first directory's seed; the others' follow it.
const SEED: u64 = 7;

/// What the lives of one or more directories came to.
#[derive(Default)]
struct Tally {
    kills: u64,
    /// Kills before the first answer.
    silent: u64,
    acknowledged: u64,
    found: u64,
}

/// Kills a store in a directory of its own, again and again.
fn lives(seed: u64, kills: u64) -> Tally {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path().join("store");
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut ledger = Ledger::default();
    let mut tally = Tally::default();
    for _ in 0..kills {
        let life = live_and_die(&mut rng, &directory);
        tally.kills += 1;
        tally.acknowledged += life.len() as u64;
        tally.silent += u64::from(life.is_empty());
        ledger.settle(Directories::under(&directory).unwrap(), &life);
    }
    tally.found = ledger.revision;
    tally
}

#[test]
fn what_was_acknowledged_survives_kills() {
    let cycles: u64 =
        std::env::var("GUILDHALL_TEST_CYCLES").map_or(200, |cycles| cycles.parse().unwrap());
    let mut all = Tally::default();
    std::thread::scope(|scope| {
        let lanes: Vec<_> = (0..LANES)
            .map(|lane| {
                let kills = (cycles + lane) / LANES;
                scope.spawn(move || lives(SEED + lane, kills))
            })
            .collect();
        for lane in lanes {
            let tally = lane.join().unwrap();
            all.kills += tally.kills;
            all.silent += tally.silent;
            all.acknowledged += tally.acknowledged;
            all.found += tally.found;
        }
    });
    println!(
        "verified: store, kill -9: {} kills in {LANES} directories (seeds {SEED} to {}), {} of them before the first \
         answer; {} transactions acknowledged, {} found: none lost, none in part, none out of order",
        all.kills,
        SEED + LANES - 1,
        all.silent,
        all.acknowledged,
        all.found,
    );
    assert_eq!(all.kills, cycles);
    assert!(all.acknowledged > 0);
}
