//! What the writer shares with readers, watchers and the engine's other threads.

use std::{
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use guildhall_log::files::Files;

use super::{
    alarm::Alarm, blobs::Blobs, checkpoint::Finished, feed::Feed, published::Published,
    tables::Tables, worker::BlobWorker,
};
use crate::{ReadOnly, Status};

/// How long unused blobs stay while a snapshot may still need them.
const SWEEP_AGAIN: Duration = Duration::from_secs(60);

/// A disk that was full is tried again when it has this many bytes, lest every small gain of space ends in the next
/// failure.
const ENOUGH_SPACE: u64 = 4 << 20;

/// See the module.
pub(crate) struct Shared {
    pub(crate) published: Arc<Published>,
    pub(crate) feed: Arc<Feed>,
    pub(crate) blobs: Arc<Blobs>,
    pub(crate) alarm: Arc<Alarm>,
    /// The log's directory.
    files: Arc<dyn Files>,
    /// Who gives the room of forgotten blobs back; without one, it is done by hand.
    pub(crate) worker: OnceLock<BlobWorker>,
    read_only: Mutex<Option<ReadOnly>>,
    finished: Mutex<Option<Finished>>,
    /// Snapshots being read: what they name stays.
    snapshots: Arc<AtomicUsize>,
}

impl Shared {
    pub(crate) fn new(
        published: Arc<Published>,
        feed: Feed,
        blobs: Arc<Blobs>,
        files: Arc<dyn Files>,
    ) -> Self {
        let alarm = Alarm::default();
        if let Some(due) = blobs.due() {
            alarm.no_later_than(due);
        }
        Self {
            published,
            feed: Arc::new(feed),
            blobs,
            alarm: Arc::new(alarm),
            files,
            worker: OnceLock::new(),
            read_only: Mutex::default(),
            finished: Mutex::default(),
            snapshots: Arc::default(),
        }
    }

    pub(crate) fn set_read_only(&self, why: Option<ReadOnly>) {
        *self
            .read_only
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = why;
    }

    /// Whether the disk says that it has room for some time. Where it cannot say, a write must tell.
    pub(crate) fn has_space(&self) -> bool {
        self.files
            .space_left()
            .map_or(true, |space| space >= ENOUGH_SPACE)
    }

    pub(crate) fn status(&self) -> Status {
        let tables = self.published.load();
        Status {
            engine: "embedded",
            index: tables.index,
            compacted: self.feed.compacted(),
            entries: tables.entries.len(),
            leases: tables.leases.len(),
            read_only: self
                .read_only
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clone(),
        }
    }

    /// A checkpoint has come to its end.
    pub(crate) fn set_finished(&self, finished: Finished, now: Instant) {
        *self.finished.lock().unwrap_or_else(PoisonError::into_inner) = Some(finished);
        self.alarm.no_later_than(now);
    }

    pub(crate) fn take_finished(&self) -> Option<Finished> {
        self.finished
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }

    /// Forgets blobs that nothing has named for long, if it is time to look: some now, and more at the next ring, which is
    /// due at once then. `staged` is what was published last.
    pub(crate) fn sweep(&self, staged: &Tables, now: Instant) {
        if self.blobs.due().is_none_or(|due| due > now) {
            return;
        }
        if self.snapshots.load(SeqCst) > 0 {
            self.blobs.postpone(now + SWEEP_AGAIN);
        } else {
            self.blobs
                .forget(|blob| staged.blobs.contains_key(blob), now);
            if let Some(worker) = self.worker.get() {
                worker.clean();
            }
        }
        if let Some(due) = self.blobs.due() {
            self.alarm.no_later_than(due);
        }
    }

    /// Begins a snapshot: what it names stays until the guard is dropped.
    pub(crate) fn begin_snapshot(&self) -> SnapshotGuard {
        self.snapshots.fetch_add(1, SeqCst);
        SnapshotGuard(Arc::clone(&self.snapshots))
    }
}

/// Keeps blobs from being collected. It holds nothing else of the store, so that a snapshot which nobody reads to its end
/// does not keep a closed store's directory.
pub(crate) struct SnapshotGuard(Arc<AtomicUsize>);

impl Drop for SnapshotGuard {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}
