//! The same engine without threads or a clock: every step is the caller's. For tools that work on a store that is not
//! running, and for tests that need the same outcome every time.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use guildhall_core::document::Index;
use guildhall_log::Log;
use tokio::sync::oneshot;

use super::{
    BlobStatus, Directories, OpenError, Options,
    blobs::ByHand,
    checkpoint,
    checkpoint::Finished,
    open::{self, Opened},
    request::{Reply, Request, stopped},
    shared::Shared,
    writer::Writer,
};
use crate::{
    BlobError, BlobHash, CommitError, Committed, CompactError, Entry, LeaseError, LeaseId, Page,
    Range, ReadError, Status, Transaction, Unavailable, Watch, WatchError,
};

/// A store that is driven by hand. Checkpoints are written when [`Offline::checkpoint`] says so, and when they are due.
pub struct Offline {
    directories: Directories,
    log: Log,
    writer: Writer,
    blobs: ByHand,
    shared: Arc<Shared>,
}

impl Offline {
    /// Opens what is there; an empty directory becomes an empty store with this incarnation.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(
        directories: Directories,
        options: &Options,
        incarnation: u64,
        now: Instant,
    ) -> Result<Self, OpenError> {
        let Opened {
            log,
            writer,
            blob_log,
            shared,
        } = open::open(&directories, options, incarnation, now)?;
        let alarm = Arc::clone(&shared.alarm);
        Ok(Self {
            directories,
            log,
            writer,
            blobs: ByHand::new(Arc::clone(&shared.blobs), blob_log, alarm),
            shared,
        })
    }

    /// Commits transactions as one group: one write, one sync. Each has an outcome of its own.
    pub fn commit(
        &mut self,
        group: impl IntoIterator<Item = Transaction>,
        now: Instant,
    ) -> Vec<Result<Committed, CommitError>> {
        let (mut outcomes, mut requests) = (Vec::new(), Vec::new());
        for transaction in group {
            if let Err(error) = transaction.validate() {
                outcomes.push(Err(error.into()));
                continue;
            }
            let (reply, answer) = oneshot::channel();
            requests.push(Request::Commit(transaction, reply));
            outcomes.push(Ok(answer));
        }
        let keep = |blobs| self.blobs.keep(blobs, now);
        self.writer.prepare(requests.iter_mut(), keep);
        for request in requests {
            self.writer.stage(request, now, &mut self.log);
        }
        self.finish_group(now);
        let outcome = |answer: Result<oneshot::Receiver<_>, _>| answer.and_then(taken);
        outcomes.into_iter().map(outcome).collect()
    }

    /// Grants a lease.
    ///
    /// # Errors
    /// [`LeaseError`].
    pub fn lease_grant(&mut self, ttl: Duration, now: Instant) -> Result<LeaseId, LeaseError> {
        self.ask(now, |reply| Request::Grant(ttl, reply))
    }

    /// Renews a lease.
    ///
    /// # Errors
    /// [`LeaseError`].
    pub fn lease_keepalive(
        &mut self,
        lease: LeaseId,
        now: Instant,
    ) -> Result<Duration, LeaseError> {
        self.ask(now, |reply| Request::KeepAlive(lease, reply))
    }

    /// Ends a lease.
    ///
    /// # Errors
    /// [`LeaseError`].
    pub fn lease_revoke(&mut self, lease: LeaseId, now: Instant) -> Result<(), LeaseError> {
        self.ask(now, |reply| Request::Revoke(lease, reply))
    }

    /// Gives up history.
    ///
    /// # Errors
    /// [`CompactError`].
    pub fn compact(&mut self, revision: u64, now: Instant) -> Result<(), CompactError> {
        self.ask(now, |reply| Request::Compact(revision, reply))
    }

    /// Does what is due: ends leases, collects blobs, tries a failed disk again.
    pub fn tick(&mut self, now: Instant) {
        self.tick_due(now, now);
    }

    /// [`Offline::tick`] of a platform that should have done so at `due`.
    pub fn tick_due(&mut self, due: Instant, now: Instant) {
        self.writer.stage(Request::Tick(due), now, &mut self.log);
        self.finish_group(now);
        self.blobs.clean(now);
    }

    /// Writes a checkpoint and drops the segments that it and the history make superfluous. Says whether it was written.
    pub fn checkpoint(&mut self, now: Instant) -> bool {
        match self.writer.checkpoint(&self.log) {
            Some(job) => self.write_checkpoint(&job, now),
            None => false,
        }
    }

    fn write_checkpoint(&mut self, job: &checkpoint::Job, now: Instant) -> bool {
        let written = checkpoint::write(job, Arc::clone(&self.directories.log), || true);
        let ok = written.is_ok();
        self.shared.set_finished(
            written.map_or(Finished::Failed, |bytes| Finished::Written {
                sequence: job.sequence,
                bytes,
            }),
            now,
        );
        self.writer.finish_checkpoint(&mut self.log);
        ok
    }

    /// Keeps a blob.
    ///
    /// # Errors
    /// [`BlobError`].
    pub fn blob_put(&mut self, bytes: &[u8], now: Instant) -> Result<BlobHash, BlobError> {
        self.blobs.put(bytes, now)
    }

    /// Reads a blob.
    ///
    /// # Errors
    /// [`BlobError`].
    pub fn blob_get(&self, hash: BlobHash) -> Result<Option<Bytes>, BlobError> {
        self.shared.blobs.get(hash)
    }

    /// How the blobs are.
    pub fn blob_status(&self) -> BlobStatus {
        self.shared.blobs.status()
    }

    /// The entry under `key`.
    pub fn get(&self, key: &[u8]) -> Option<Arc<Entry>> {
        self.shared.published.load().entries.get(key).cloned()
    }

    /// One page of entries.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn range(&self, range: &Range, now: Instant) -> Result<Page, ReadError> {
        self.shared.published.range(range, now)
    }

    /// Begins a watch, which yields what this handle commits.
    ///
    /// # Errors
    /// [`WatchError`].
    pub fn watch(&self, prefix: &[u8], from: Option<u64>) -> Result<Watch, WatchError> {
        self.shared.feed.watch(prefix, from)
    }

    /// The last revision.
    pub fn index(&self) -> Index {
        self.shared.published.load().index
    }

    /// How the store is.
    pub fn status(&self) -> Status {
        self.shared.status()
    }

    fn ask<T, E: From<Unavailable>>(
        &mut self,
        now: Instant,
        request: impl FnOnce(Reply<T, E>) -> Request,
    ) -> Result<T, E> {
        let (reply, answer) = oneshot::channel();
        self.writer.stage(request(reply), now, &mut self.log);
        self.finish_group(now);
        taken(answer)
    }

    fn finish_group(&mut self, now: Instant) {
        match self.log.commit() {
            Ok(_) => {
                if let Some(job) = self.writer.committed(now, &mut self.log) {
                    self.write_checkpoint(&job, now);
                }
            }
            Err(error) => self.writer.failed(&error, now),
        }
    }
}

fn taken<T, E: From<Unavailable>>(mut answer: oneshot::Receiver<Result<T, E>>) -> Result<T, E> {
    answer.try_recv().map_err(|_| stopped())?
}
