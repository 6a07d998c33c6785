//! The simple machine: append bytes, be told the sequence once they are durable.

use bytes::Bytes;

use crate::{CommitError, CommitterOptions, Log, Sequence, TooLarge, View};

/// A cloneable handle to append to a log that lives on its committer's thread. The thread ends, drained, with the last
/// clone.
#[derive(Clone)]
pub struct Appender {
    view: View,
}

/// An append that was queued: await it (or [`Pending::wait`]) for the sequence. Dropping it does not undo the append.
pub struct Pending {}

/// Why an append was not acknowledged.
#[derive(Clone, Debug, thiserror::Error)]
pub enum AppendError {
    /// The commit failed.
    #[error(transparent)]
    Commit(#[from] CommitError),
    /// The record is too long.
    #[error(transparent)]
    TooLarge(#[from] TooLarge),
    /// The queue is full (only from the `try_` calls): slow down and try again.
    #[error("too many appends are waiting for the disk; slow down and try again")]
    Overloaded,
    /// The log was shut down.
    #[error("the log is shut down")]
    Stopped,
}

impl Appender {
    /// Moves the log onto a committing thread.
    ///
    /// # Errors
    /// The operating system gave no thread.
    pub fn start(_log: Log, _options: CommitterOptions) -> std::io::Result<Self> {
        unimplemented!()
    }

    /// Appends one record and waits until it is durable. A full queue is waited for.
    ///
    /// # Errors
    /// [`AppendError`]; the record was not kept, unless it says [`CommitError::Sync`].
    pub async fn append(&self, _record: Bytes) -> Result<Sequence, AppendError> {
        unimplemented!()
    }

    /// [`Appender::append`] for plain threads.
    ///
    /// # Errors
    /// As [`Appender::append`].
    pub fn append_blocking(&self, _record: Bytes) -> Result<Sequence, AppendError> {
        unimplemented!()
    }

    /// Queues one record if there is room now; the returned [`Pending`] resolves when it is durable.
    ///
    /// # Errors
    /// [`AppendError::Overloaded`], [`AppendError::Stopped`].
    pub fn try_append(&self, _record: Bytes) -> Result<Pending, AppendError> {
        unimplemented!()
    }

    /// Drops whole segments before `sequence`, see [`Log::drop_before`].
    ///
    /// # Errors
    /// As [`Log::drop_before`].
    pub async fn drop_before(&self, _sequence: Sequence) -> Result<Sequence, AppendError> {
        unimplemented!()
    }

    /// What others may see of the log.
    pub fn view(&self) -> View {
        self.view.clone()
    }
}
