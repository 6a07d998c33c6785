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

#[test]
fn what_was_acknowledged_survives_kills() {
    let cycles =
        std::env::var("GUILDHALL_TEST_CYCLES").map_or(200, |cycles| cycles.parse().unwrap());
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path().join("store");
    let mut rng = fastrand::Rng::with_seed(7);
    let mut ledger = Ledger::default();
    let (mut acknowledged, mut silent) = (0, 0);
    for _ in 0..cycles {
        let life = live_and_die(&mut rng, &directory);
        acknowledged += life.len();
        silent += usize::from(life.is_empty());
        ledger.settle(Directories::under(&directory).unwrap(), &life);
    }
    println!(
        "{cycles} kills, {silent} of them before the first answer; {acknowledged} transactions acknowledged, \
         {} found, none lost, none in part",
        ledger.revision
    );
    assert!(acknowledged > 0);
}
