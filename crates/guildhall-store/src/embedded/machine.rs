//! The writer on the log's committing thread, with a clock.

use std::sync::Arc;

use guildhall_log::{CommitError, Log, Machine, files::Files};

use super::{
    checkpoint::Background, clock, request::Request, shared::Shared, worker::BlobWorker,
    writer::Writer,
};

/// What the log's committer drives.
pub(crate) struct StoreMachine {
    pub(crate) writer: Writer,
    /// Keeps the blobs that transactions bring along: those of a group together, while that waits.
    pub(crate) worker: BlobWorker,
    pub(crate) shared: Arc<Shared>,
    pub(crate) files: Arc<dyn Files>,
    pub(crate) checkpoints: Background,
}

impl Machine for StoreMachine {
    type Request = Request;

    fn prepare<'a>(&mut self, requests: impl Iterator<Item = &'a mut Request>) {
        self.writer
            .prepare(requests, |blobs| self.worker.keep(blobs));
    }

    fn stage(&mut self, request: Request, log: &mut Log) {
        self.writer.stage(request, clock::now(), log);
    }

    fn committed(&mut self, log: &mut Log) {
        if let Some(job) = self.writer.committed(clock::now(), log) {
            self.checkpoints
                .start(job, Arc::clone(&self.files), Arc::clone(&self.shared));
        }
    }

    fn failed(&mut self, error: &CommitError, _log: &mut Log) {
        self.writer.failed(error, clock::now());
    }
}
