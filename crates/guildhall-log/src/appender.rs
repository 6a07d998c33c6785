//! The simple machine: append bytes, be told the sequence once they are durable.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};

use bytes::Bytes;
use tokio::sync::oneshot;

use crate::{
    CommitError, Committer, CommitterOptions, Log, Machine, Sequence, Stopped, SubmitError,
    Submitter, TooLarge, View, block_on::block_on,
};

/// A cloneable handle to append to a log that lives on its committer's thread. The thread ends, drained, with
/// [`Appender::stop`] or the last clone.
#[derive(Clone)]
pub struct Appender {
    submitter: Submitter<Request>,
    view: View,
    committer: Arc<Mutex<Option<Committer<Appends>>>>,
}

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

impl From<Stopped> for AppendError {
    fn from(_: Stopped) -> Self {
        Self::Stopped
    }
}

impl Appender {
    /// Moves the log onto a committing thread.
    ///
    /// # Errors
    /// The operating system gave no thread.
    pub fn start(log: Log, options: CommitterOptions) -> std::io::Result<Self> {
        let view = log.view();
        let committer = Committer::start(log, Appends::default(), options)?;
        let submitter = committer.submitter();
        Ok(Self {
            submitter,
            view,
            committer: Arc::new(Mutex::new(Some(committer))),
        })
    }

    /// Appends one record and waits until it is durable. A full queue is waited for.
    ///
    /// # Errors
    /// [`AppendError`]; the record was not kept, unless it says [`CommitError::Sync`].
    pub async fn append(&self, record: Bytes) -> Result<Sequence, AppendError> {
        let (reply, pending) = oneshot::channel();
        let weight = record.len();
        self.submitter
            .submit(Request::Append(record, reply), weight)
            .await?;
        Pending(pending).await
    }

    /// [`Appender::append`] for plain threads.
    ///
    /// # Errors
    /// As [`Appender::append`].
    pub fn append_blocking(&self, record: Bytes) -> Result<Sequence, AppendError> {
        block_on(self.append(record))
    }

    /// Queues one record if there is room now; the returned [`Pending`] resolves when it is durable.
    ///
    /// # Errors
    /// [`AppendError::Overloaded`], [`AppendError::Stopped`].
    pub fn try_append(&self, record: Bytes) -> Result<Pending, AppendError> {
        let (reply, pending) = oneshot::channel();
        let weight = record.len();
        self.submitter
            .try_submit(Request::Append(record, reply), weight)
            .map_err(|error| match error {
                SubmitError::Overloaded(_) => AppendError::Overloaded,
                SubmitError::Stopped(_) => AppendError::Stopped,
            })?;
        Ok(Pending(pending))
    }

    /// Drops whole segments before `sequence`, see [`Log::drop_before`].
    ///
    /// # Errors
    /// As [`Log::drop_before`].
    pub async fn drop_before(&self, sequence: Sequence) -> Result<Sequence, AppendError> {
        let (reply, pending) = oneshot::channel();
        self.submitter
            .submit(Request::DropBefore(sequence, reply), 0)
            .await?;
        Pending(pending).await
    }

    /// What others may see of the log.
    pub fn view(&self) -> View {
        self.view.clone()
    }

    /// Takes no more appends, commits those that wait, closes the log and ends the thread; blocks for that long.
    pub fn stop(&self) {
        // Taken out before it is dropped: another clone's stop need not wait for this one's.
        let committer = self
            .committer
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        drop(committer);
    }
}

/// An append that was queued: await it (or [`Pending::wait`]) for the sequence. Dropping it does not undo the append.
pub struct Pending(oneshot::Receiver<Result<Sequence, AppendError>>);

impl Pending {
    /// Blocks a plain thread until the record is durable.
    ///
    /// # Errors
    /// As [`Appender::append`].
    pub fn wait(self) -> Result<Sequence, AppendError> {
        block_on(self)
    }
}

impl Future for Pending {
    type Output = Result<Sequence, AppendError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0)
            .poll(context)
            .map(|reply| reply.unwrap_or(Err(AppendError::Stopped)))
    }
}

type Reply = oneshot::Sender<Result<Sequence, AppendError>>;

/// What an appender submits.
enum Request {
    Append(Bytes, Reply),
    DropBefore(Sequence, Reply),
}

/// The machine: the replies that are due, and what each will be.
#[derive(Default)]
struct Appends {
    due: Vec<(Sequence, Reply)>,
}

impl Machine for Appends {
    type Request = Request;

    fn stage(&mut self, request: Request, log: &mut Log) {
        match request {
            Request::Append(record, reply) => match log.stage(&[&record]) {
                Ok(sequence) => self.due.push((sequence, reply)),
                Err(error) => answer(reply, Err(error.into())),
            },
            Request::DropBefore(sequence, reply) => {
                answer(
                    reply,
                    log.drop_before(sequence).map_err(AppendError::Commit),
                );
            }
        }
    }

    fn committed(&mut self, _log: &mut Log) {
        for (sequence, reply) in self.due.drain(..) {
            answer(reply, Ok(sequence));
        }
    }

    fn failed(&mut self, error: &CommitError, _log: &mut Log) {
        for (_, reply) in self.due.drain(..) {
            answer(reply, Err(error.clone().into()));
        }
    }
}

/// Whoever no longer waits misses only the answer.
fn answer(reply: Reply, answer: Result<Sequence, AppendError>) {
    let _ = reply.send(answer);
}
