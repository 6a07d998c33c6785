//! The embedded engine's handle.

use std::{future::ready, io::BufRead, path::Path, sync::Arc, thread, time::Duration};

use bytes::Bytes;
use guildhall_core::document::Index;
use guildhall_log::{Committer, Stats, Submitter};
use tokio::sync::oneshot;

use super::{
    BlobStatus, Directories, OpenError, Options, Restored,
    checkpoint::Background,
    clock,
    machine::StoreMachine,
    open::{self, Opened},
    request::{Reply, Request, stopped},
    restore,
    shared::Shared,
    stream::Stream,
    worker::BlobWorker,
};
use crate::{
    Blob, BlobError, BlobHash, BoxFuture, CommitError, Committed, CompactError, Entry, LeaseError,
    LeaseId, Page, Range, ReadError, Snapshot, SnapshotError, Status, Store, Transaction,
    Unavailable, Watch, WatchError,
};

/// A store on this machine's disk. Share it as an `Arc<dyn Store>`; dropping the last handle commits what waits, closes
/// the log, joins the engine's threads and gives the directory up, which takes about as long as a sync: once the drop
/// has returned, the directory can be opened again. Watches and snapshots that are left over end, and hold nothing.
pub struct Embedded {
    shared: Arc<Shared>,
    submitter: Submitter<Request>,
    worker: BlobWorker,
    log: Arc<Stats>,
    /// Taken when dropped.
    committer: Option<Committer<StoreMachine>>,
    alarm: Option<thread::JoinHandle<()>>,
}

impl Embedded {
    /// Opens the store in a directory, which is created if missing. Blocks while it reads checkpoint and log.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(directory: impl AsRef<Path>, options: Options) -> Result<Self, OpenError> {
        Self::open_in(Directories::under(directory)?, options)
    }

    /// [`Embedded::open`] on any kind of files.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open_in(directories: Directories, options: Options) -> Result<Self, OpenError> {
        let opened = open::open(&directories, &options, clock::unix_millis(), clock::now())?;
        Self::start(&directories, &options, opened).map_err(|source| OpenError::Io {
            action: "starting the threads of",
            file: directories.log.path(""),
            source,
        })
    }

    /// Restores a snapshot into an empty (or missing) directory, which can then be opened: a new incarnation with a
    /// raised revision. Nothing counts until all of it was found whole.
    ///
    /// # Errors
    /// [`OpenError`]; empty the directory before trying again.
    pub fn restore(
        directory: impl AsRef<Path>,
        options: &Options,
        snapshot: impl BufRead,
    ) -> Result<Restored, OpenError> {
        Self::restore_in(&Directories::under(directory)?, options, snapshot)
    }

    /// [`Embedded::restore`] on any kind of files.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn restore_in(
        directories: &Directories,
        options: &Options,
        snapshot: impl BufRead,
    ) -> Result<Restored, OpenError> {
        restore::restore(
            directories,
            options,
            snapshot,
            clock::unix_millis(),
            clock::now(),
        )
    }

    fn start(
        directories: &Directories,
        options: &Options,
        opened: Opened,
    ) -> std::io::Result<Self> {
        let Opened {
            log,
            writer,
            blob_log,
            shared,
        } = opened;
        let stats = log.view().stats();
        let blobs = Arc::clone(&shared.blobs);
        let alarm = Arc::clone(&shared.alarm);
        let worker = BlobWorker::start(blobs, blob_log, alarm, &options.committer)?;
        // Nobody else sets it.
        let _ = shared.worker.set(worker.clone());
        let machine = StoreMachine {
            writer,
            worker: worker.clone(),
            shared: Arc::clone(&shared),
            files: Arc::clone(&directories.log),
            checkpoints: Background::default(),
        };
        let committer = Committer::start(log, machine, options.committer.clone())?;
        let submitter = committer.submitter();
        let ring = committer.submitter();
        let alarm = shared
            .alarm
            .start(move |due| ring.submit_blocking(Request::Tick(due), 0).is_ok())?;
        Ok(Self {
            shared,
            submitter,
            worker,
            log: stats,
            committer: Some(committer),
            alarm: Some(alarm),
        })
    }

    /// The counters of the log below.
    pub fn log_stats(&self) -> &Arc<Stats> {
        &self.log
    }

    /// How the blobs are.
    pub fn blob_status(&self) -> BlobStatus {
        self.shared.blobs.status()
    }

    /// Asks the writer and waits for its answer.
    async fn ask<T, E: From<Unavailable>>(
        &self,
        weight: usize,
        request: impl FnOnce(Reply<T, E>) -> Request,
    ) -> Result<T, E> {
        let (reply, answer) = oneshot::channel();
        self.submitter
            .submit(request(reply), weight)
            .await
            .map_err(|_| stopped())?;
        answer.await.map_err(|_| stopped())?
    }
}

impl Store for Embedded {
    fn get<'a>(&'a self, key: &'a [u8]) -> BoxFuture<'a, Result<Option<Arc<Entry>>, ReadError>> {
        let entry = self.shared.published.load().entries.get(key).cloned();
        Box::pin(ready(Ok(entry)))
    }

    fn range(&self, range: Range) -> BoxFuture<'_, Result<Page, ReadError>> {
        Box::pin(ready(self.shared.published.range(&range, clock::now())))
    }

    fn commit(&self, transaction: Transaction) -> BoxFuture<'_, Result<Committed, CommitError>> {
        Box::pin(async move {
            transaction.validate()?;
            let brought = transaction.blobs.iter().map(|blob| blob.bytes().len());
            let weight = transaction.bytes() + brought.sum::<usize>();
            self.ask(weight, |reply| Request::Commit(transaction, reply))
                .await
        })
    }

    fn watch<'a>(
        &'a self,
        prefix: &'a [u8],
        from: Option<u64>,
    ) -> BoxFuture<'a, Result<Watch, WatchError>> {
        Box::pin(ready(self.shared.feed.watch(prefix, from)))
    }

    fn lease_grant(&self, ttl: Duration) -> BoxFuture<'_, Result<LeaseId, LeaseError>> {
        Box::pin(self.ask(0, move |reply| Request::Grant(ttl, reply)))
    }

    fn lease_keepalive(&self, lease: LeaseId) -> BoxFuture<'_, Result<Duration, LeaseError>> {
        Box::pin(self.ask(0, move |reply| Request::KeepAlive(lease, reply)))
    }

    fn lease_revoke(&self, lease: LeaseId) -> BoxFuture<'_, Result<(), LeaseError>> {
        Box::pin(self.ask(0, move |reply| Request::Revoke(lease, reply)))
    }

    fn blob_put(&self, bytes: Bytes) -> BoxFuture<'_, Result<BlobHash, BlobError>> {
        Box::pin(async move {
            let (hash, is_known) = self.shared.blobs.known(&bytes, clock::now())?;
            if !is_known {
                self.worker.put(Blob::known(hash, bytes)).await?;
            }
            Ok(hash)
        })
    }

    fn blob_get(&self, hash: BlobHash) -> BoxFuture<'_, Result<Option<Bytes>, BlobError>> {
        Box::pin(self.worker.get(hash))
    }

    fn compact(&self, revision: u64) -> BoxFuture<'_, Result<(), CompactError>> {
        Box::pin(self.ask(0, move |reply| Request::Compact(revision, reply)))
    }

    fn snapshot(&self) -> BoxFuture<'_, Result<Snapshot, SnapshotError>> {
        // The guard first: what the state names from then on stays.
        let guard = self.shared.begin_snapshot();
        let tables = self.shared.published.load_full();
        let index = tables.index;
        let stream = Stream::new(tables, self.worker.clone(), guard);
        Box::pin(ready(Ok(Snapshot::new(index, stream))))
    }

    fn index(&self) -> Index {
        self.shared.published.load().index
    }

    fn status(&self) -> Status {
        self.shared.status()
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        self.shared.alarm.stop();
        // Commits what waits, then closes the log; a tick that waits for room is let go by that.
        self.committer.take();
        self.shared.feed.close();
        self.worker.stop();
        if let Some(alarm) = self.alarm.take() {
            // A panic there was reported by the thread itself.
            drop(alarm.join());
        }
    }
}
