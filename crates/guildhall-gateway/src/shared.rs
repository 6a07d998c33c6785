//! What all threads of one gateway share.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use arc_swap::ArcSwap;
use tokio::sync::Notify;

use crate::{
    Options, exact,
    snapshot::Snapshot,
    stats::{RefusedBy, Traffic, WorkerStats},
};

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) options: Options,
    pub(crate) workers: Vec<WorkerShared>,
    snapshot: ArcSwap<Snapshot>,
    /// Grows with each snapshot, so that a worker sees with one load whether it has the present
    /// one.
    version: AtomicU64,
    /// What policies that are only tried have counted.
    pub(crate) tried: RefusedBy,
    /// How the connections to whoever counts exact limits are.
    pub(crate) exact: exact::Connections,
    draining: AtomicBool,
    closing: AtomicBool,
}

/// What one worker shares with the others.
#[derive(Debug, Default)]
pub(crate) struct WorkerShared {
    pub(crate) stats: WorkerStats,
    pub(crate) refused: RefusedBy,
    /// Something changed that a worker without requests must see too.
    pub(crate) changed: Notify,
}

impl Shared {
    pub(crate) fn new(options: Options, workers: usize) -> Self {
        Self {
            exact: exact::Connections::of(options.redis.as_ref().map_or(0, |_| workers)),
            options,
            workers: (0..workers).map(|_| WorkerShared::default()).collect(),
            snapshot: ArcSwap::default(),
            version: AtomicU64::new(0),
            tried: RefusedBy::default(),
            draining: AtomicBool::new(false),
            closing: AtomicBool::new(false),
        }
    }

    /// What all workers counted.
    pub(crate) fn traffic(&self) -> Traffic {
        let mut traffic = Traffic::sum(self.workers.iter().map(|worker| &worker.stats));
        let policies = &mut traffic.policies;
        for worker in &self.workers {
            worker.refused.add_to(policies, |to, n| to.refused += n);
        }
        self.tried
            .add_to(policies, |to, n| to.would_have_refused += n);
        traffic
    }

    /// Puts `snapshot` into effect.
    pub(crate) fn publish(&self, snapshot: Snapshot) {
        self.snapshot.store(Arc::new(snapshot));
        self.version.fetch_add(1, Ordering::Release);
        self.wake();
    }

    pub(crate) fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }

    pub(crate) fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// From here on connections are closed after the request they carry.
    pub(crate) fn drain(&self) {
        self.draining.store(true, Ordering::Release);
        self.wake();
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }

    /// From here on connections are closed whatever they carry.
    pub(crate) fn close(&self) {
        self.draining.store(true, Ordering::Release);
        self.closing.store(true, Ordering::Release);
        self.wake();
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }

    fn wake(&self) {
        for worker in &self.workers {
            worker.changed.notify_one();
        }
    }
}
