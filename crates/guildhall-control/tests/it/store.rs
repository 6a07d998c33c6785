//! The embedded engine without threads, over a disk in memory, with faults on demand.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use bytes::Bytes;
use guildhall_core::document::Index;
use guildhall_store::embedded::{Directories, HistoryOptions, Offline, Options};
use guildhall_store::*;
use guildhall_testkit::files::FaultyFiles;
use tokio::task::JoinHandle;

/// A store whose every step happens in the call that asks for it.
pub(crate) struct TestStore {
    engine: Mutex<Offline>,
    log: FaultyFiles,
    blobs: FaultyFiles,
    broken: Arc<Mutex<Broken>>,
    pub(crate) commits: AtomicU64,
    full: AtomicBool,
}

/// Errors that watches are to meet.
#[derive(Default)]
struct Broken {
    /// Watches begun before this count fail.
    before: u64,
    error: Option<WatchError>,
    begun: u64,
    wakers: Vec<Waker>,
}

struct Breakable {
    watch: Watch,
    number: u64,
    broken: Arc<Mutex<Broken>>,
}

fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

fn options() -> Options {
    let log = guildhall_log::Options {
        segment_size: 1 << 20,
        spares: 0,
        zeroing: guildhall_log::Zeroing::Inline,
        ..Default::default()
    };
    Options {
        log,
        history: HistoryOptions::default(),
        ..Options::default()
    }
}

impl TestStore {
    pub(crate) fn new() -> Arc<Self> {
        Self::open(FaultyFiles::new(), FaultyFiles::new(), 1)
    }

    fn open(log: FaultyFiles, blobs: FaultyFiles, incarnation: u64) -> Arc<Self> {
        let directories = Directories {
            log: Arc::new(log.clone()),
            blobs: Arc::new(blobs.clone()),
        };
        let engine = Offline::open(directories, &options(), incarnation, now()).unwrap();
        Arc::new(Self {
            engine: Mutex::new(engine),
            log,
            blobs,
            broken: Arc::default(),
            commits: AtomicU64::new(0),
            full: AtomicBool::new(false),
        })
    }

    /// The store after the process was killed and started again.
    pub(crate) fn restarted(&self) -> Arc<Self> {
        Self::open(self.log.kill(), self.blobs.kill(), 1)
    }

    /// Replaces everything by an empty store of another incarnation, as a restore does.
    pub(crate) fn replace(&self, incarnation: u64) {
        let directories = Directories {
            log: Arc::new(FaultyFiles::new()),
            blobs: Arc::new(FaultyFiles::new()),
        };
        *self.engine() = Offline::open(directories, &options(), incarnation, now()).unwrap();
        self.break_watches(WatchError::Restored);
    }

    /// Ends every watch there is with `error`.
    pub(crate) fn break_watches(&self, error: WatchError) {
        let mut broken = self.broken.lock().unwrap();
        broken.before = broken.begun;
        broken.error = Some(error);
        broken.wakers.drain(..).for_each(Waker::wake);
    }

    /// Makes the store refuse writes as with a full disk, or take them again.
    pub(crate) fn fill(&self, full: bool) {
        self.full.store(full, Ordering::Relaxed);
    }

    /// Leaves the disk of the log no space, or gives it back: the engine itself finds out.
    pub(crate) fn fill_disk(&self, full: bool) {
        self.log.set_space(full.then_some(0));
    }

    fn read_only(&self) -> Option<ReadOnly> {
        let full = self.full.load(Ordering::Relaxed);
        full.then(|| ReadOnly::Full("no space left on device".to_owned()))
    }

    pub(crate) fn engine(&self) -> MutexGuard<'_, Offline> {
        self.engine.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does what time brings about; abort the task before the store goes.
    pub(crate) fn tick(self: &Arc<Self>) -> JoinHandle<()> {
        let store = Arc::clone(self);
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(Duration::from_millis(50)).await;
                store.engine().tick(now());
            }
        })
    }
}

impl WatchSource for Breakable {
    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Result<WatchItem, WatchError>> {
        let mut broken = self.broken.lock().unwrap();
        if let Some(error) = broken.error.clone().filter(|_| self.number < broken.before) {
            return Poll::Ready(Err(error));
        }
        broken.wakers.push(context.waker().clone());
        drop(broken);
        self.watch.poll_next(context)
    }

    fn progress(&self) -> Progress {
        self.watch.progress()
    }
}

impl Store for TestStore {
    fn get<'a>(&'a self, key: &'a [u8]) -> BoxFuture<'a, Result<Option<Arc<Entry>>, ReadError>> {
        Box::pin(async move { Ok(self.engine().get(key)) })
    }

    fn range(&self, range: Range) -> BoxFuture<'_, Result<Page, ReadError>> {
        Box::pin(async move { self.engine().range(&range, now()) })
    }

    fn commit(&self, transaction: Transaction) -> BoxFuture<'_, Result<Committed, CommitError>> {
        Box::pin(async move {
            self.commits.fetch_add(1, Ordering::Relaxed);
            if let Some(why) = self.read_only() {
                return Err(why.into());
            }
            self.engine().commit([transaction], now()).remove(0)
        })
    }

    fn watch<'a>(
        &'a self,
        prefix: &'a [u8],
        from: Option<u64>,
    ) -> BoxFuture<'a, Result<Watch, WatchError>> {
        Box::pin(async move {
            let watch = self.engine().watch(prefix, from)?;
            let mut broken = self.broken.lock().unwrap();
            let number = broken.begun;
            broken.begun += 1;
            drop(broken);
            Ok(Watch::new(Breakable {
                watch,
                number,
                broken: Arc::clone(&self.broken),
            }))
        })
    }

    fn lease_grant(&self, ttl: Duration) -> BoxFuture<'_, Result<LeaseId, LeaseError>> {
        Box::pin(async move { self.engine().lease_grant(ttl, now()) })
    }

    fn lease_keepalive(&self, lease: LeaseId) -> BoxFuture<'_, Result<Duration, LeaseError>> {
        Box::pin(async move { self.engine().lease_keepalive(lease, now()) })
    }

    fn lease_revoke(&self, lease: LeaseId) -> BoxFuture<'_, Result<(), LeaseError>> {
        Box::pin(async move { self.engine().lease_revoke(lease, now()) })
    }

    fn blob_put(&self, bytes: Bytes) -> BoxFuture<'_, Result<BlobHash, BlobError>> {
        Box::pin(async move { self.engine().blob_put(&bytes, now()) })
    }

    fn blob_get(&self, hash: BlobHash) -> BoxFuture<'_, Result<Option<Bytes>, BlobError>> {
        Box::pin(async move { self.engine().blob_get(hash) })
    }

    fn compact(&self, revision: u64) -> BoxFuture<'_, Result<(), CompactError>> {
        Box::pin(async move { self.engine().compact(revision, now()) })
    }

    fn snapshot(&self) -> BoxFuture<'_, Result<Snapshot, SnapshotError>> {
        Box::pin(async { Err(Unavailable::Unsupported("snapshots").into()) })
    }

    fn index(&self) -> Index {
        self.engine().index()
    }

    fn status(&self) -> Status {
        let status = self.engine().status();
        Status {
            read_only: self.read_only().or(status.read_only),
            ..status
        }
    }
}
