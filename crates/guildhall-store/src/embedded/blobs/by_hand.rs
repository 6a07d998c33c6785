//! The blobs without threads: every step is the caller's.

use std::{sync::Arc, time::Instant};

use bytes::Bytes;
use guildhall_log::{CommitError, Log};
use tokio::sync::oneshot;

use super::{
    super::{alarm::Alarm, request::stopped},
    cleaner::Cleaner,
    shared::Blobs,
    writer::{Request, Writer},
};
use crate::{Blob, BlobError, BlobHash};

/// A group of many puts is committed when it has so many bytes.
const GROUP: usize = 1 << 20;

/// The blobs' log, its writer, and its cleaner.
pub(crate) struct ByHand {
    blobs: Arc<Blobs>,
    log: Log,
    writer: Writer,
    cleaner: Cleaner,
}

impl ByHand {
    pub(crate) fn new(blobs: Arc<Blobs>, log: Log, alarm: Arc<Alarm>) -> Self {
        let writer = Writer::new(Arc::clone(&blobs), alarm);
        Self {
            blobs,
            log,
            writer,
            cleaner: Cleaner::default(),
        }
    }

    /// Keeps a blob, durably.
    pub(crate) fn put(&mut self, bytes: &[u8], now: Instant) -> Result<BlobHash, BlobError> {
        let (hash, _) = self.blobs.known(bytes, now)?;
        self.keep(vec![Blob::known(hash, Bytes::copy_from_slice(bytes))], now)?;
        Ok(hash)
    }

    /// Keeps blobs, durably.
    pub(crate) fn keep(&mut self, blobs: Vec<Blob>, now: Instant) -> Result<(), BlobError> {
        let (reply, mut answer) = oneshot::channel();
        self.writer
            .stage(Request::Put(blobs, reply), now, &mut self.log);
        // Why it failed is in the answer.
        let _ = self.commit(now);
        answer.try_recv().map_err(|_| stopped::<BlobError>())?
    }

    /// One put of many: durable after [`ByHand::commit`], which is due when this says so.
    pub(crate) fn put_one_of_many(
        &mut self,
        bytes: &[u8],
        now: Instant,
    ) -> Result<(BlobHash, bool), BlobError> {
        let (hash, _) = self.blobs.known(bytes, now)?;
        // The commit says whether it was kept.
        let (reply, _) = oneshot::channel();
        let blob = Blob::known(hash, Bytes::copy_from_slice(bytes));
        let request = Request::Put(vec![blob], reply);
        self.writer.stage(request, now, &mut self.log);
        Ok((hash, self.log.staged_bytes() >= GROUP))
    }

    /// Makes everything staged durable.
    pub(crate) fn commit(&mut self, now: Instant) -> Result<(), CommitError> {
        match self.log.commit() {
            Ok(_) => {
                self.writer.committed(now, &self.log);
                Ok(())
            }
            Err(error) => {
                self.writer.failed(&error);
                Err(error)
            }
        }
    }

    /// Gives the room of forgotten blobs back, as far as it goes.
    pub(crate) fn clean(&mut self, now: Instant) {
        loop {
            match self.cleaner.next(&self.blobs) {
                Ok(None) => return,
                Ok(Some(work)) => {
                    let (reply, mut done) = oneshot::channel();
                    self.writer
                        .stage(Request::Clean(work, reply), now, &mut self.log);
                    // Said by the answer.
                    let _ = self.commit(now);
                    if done.try_recv().is_ok() {
                        continue;
                    }
                }
                Err(error) => tracing::warn!(error, "blobs could not be read to be moved"),
            }
            self.cleaner = Cleaner::default();
            return;
        }
    }

    /// Back to the log alone.
    pub(crate) fn into_log(self) -> Log {
        self.log
    }
}
