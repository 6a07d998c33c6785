//! The engine with all its threads on disks that lose power under it: commits of several clients, checkpoints, dropped
//! segments and recovery, whatever the threads are at.
//!
//! Which operation is the last one is seeded; what the threads have done by then is not. The seeded, exact search for
//! broken promises is in `power_loss`; this one looks for what only the threads could break.

use std::sync::{Arc, Mutex};

use guildhall_store::{CommitError, Store, embedded::Embedded};

use crate::{
    ledger::{Acknowledged, CLIENTS, Ledger, options, work},
    support::Disks,
};

const SEED: u64 = 11;
/// Power losses of one store.
const LOSSES: u64 = 10;

/// Works until the power goes and returns what was acknowledged.
async fn live(disks: &Disks) -> Acknowledged {
    let mut options = options();
    options.log.segment_size = 4 << 10;
    options.checkpoint_after = 4 << 10;
    let acknowledged = Arc::new(Mutex::new(Acknowledged::new()));
    // The power may go while it opens.
    let Ok(store) = Embedded::open_in(disks.directories(), options) else {
        return Acknowledged::new();
    };
    let store: Arc<dyn Store> = Arc::new(store);
    let clients = (0..CLIENTS).map(|client| {
        let (store, acknowledged) = (Arc::clone(&store), Arc::clone(&acknowledged));
        tokio::spawn(work(store, client, move |client, number, revision| {
            let before = acknowledged
                .lock()
                .unwrap()
                .insert(revision, (client, number));
            assert_eq!(before, None, "a revision acknowledged twice");
        }))
    });
    for client in clients.collect::<Vec<_>>() {
        let error = client.await.unwrap();
        assert!(
            matches!(error, CommitError::Unknown(_) | CommitError::ReadOnly(_)),
            "{error}"
        );
    }
    drop(store);
    Arc::into_inner(acknowledged).unwrap().into_inner().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_survives_power_losses() {
    let mut rng = fastrand::Rng::with_seed(SEED);
    let losses: u64 =
        std::env::var("GUILDHALL_TEST_CYCLES").map_or(200, |cycles| cycles.parse().unwrap());
    let (mut acknowledged, mut found) = (0, 0);
    for _ in 0..losses.div_ceil(LOSSES) {
        let (mut disks, mut ledger) = (Disks::default(), Ledger::default());
        for _ in 0..LOSSES {
            if rng.u8(..3) == 0 {
                disks.blobs.cut_power_after(rng.u64(1..100));
            }
            disks.log.cut_power_after(rng.u64(1..200));
            let life = live(&disks).await;
            acknowledged += life.len();
            disks = Disks {
                log: disks.log.crash(rng.u64(..)),
                blobs: disks.blobs.crash(rng.u64(..)),
            };
            ledger.settle(disks.directories(), &life);
        }
        found += ledger.revision;
    }
    println!(
        "verified: store with its threads, power loss: {} power losses (seed {SEED}); {acknowledged} transactions \
         acknowledged, {found} found: none lost, none in part, none out of order",
        losses.div_ceil(LOSSES) * LOSSES,
    );
    assert!(acknowledged > 1000, "{acknowledged}");
}
