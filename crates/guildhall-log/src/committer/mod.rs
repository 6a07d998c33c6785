//! Group commit on one thread: everything that waits is staged together and shares one write and one fdatasync.

use std::{marker::PhantomData, time::Duration};

use crate::{CommitError, Log};

/// What a committer drives: the owner's state, its decisions, and its replies.
///
/// Per group, in order: `stage` for each request taken, one commit, then `committed` or `failed`. State that others see
/// is published in `committed`, never in `stage`.
pub trait Machine: Send + 'static {
    /// What callers submit; reply channels travel inside it.
    type Request: Send + 'static;

    /// Decides a request and stages its records (or none: a refused request may be answered at once, unless its answer
    /// depends on records of the same group).
    fn stage(&mut self, request: Self::Request, log: &mut Log);

    /// Everything staged since the last call is durable: publish and reply. Also called when a group staged nothing.
    fn committed(&mut self, log: &mut Log);

    /// Nothing staged since the last `committed` was kept: roll back and reply.
    fn failed(&mut self, error: &CommitError, log: &mut Log);
}

/// How a committer gathers and bounds.
#[derive(Clone, Debug)]
pub struct CommitterOptions {
    /// The thread's name. Default `log`.
    pub name: String,
    /// Bytes that may wait in the queue; beyond, submitters wait or are refused. A request counts as its stated weight
    /// plus 256. Default 16 MiB.
    pub queue_bytes: usize,
    /// Staged bytes after which a group is committed without taking more. Default 1 MiB.
    pub group_bytes: usize,
    /// The longest time to wait for more requests once there is one; the committer waits less, or not at all, when syncs
    /// are fast or everybody who was answered last time is back already. Default 150 µs.
    pub gather: Duration,
}

impl Default for CommitterOptions {
    fn default() -> Self {
        Self {
            name: "log".to_owned(),
            queue_bytes: 16 << 20,
            group_bytes: 1 << 20,
            gather: Duration::from_micros(150),
        }
    }
}

/// The owner of the committing thread. Dropping it drains the queue, commits, closes the log and joins the thread.
pub struct Committer<M: Machine> {
    _machine: PhantomData<M>,
}

impl<M: Machine> Committer<M> {
    /// Starts the thread.
    ///
    /// # Errors
    /// The operating system gave no thread.
    pub fn start(_log: Log, _machine: M, _options: CommitterOptions) -> std::io::Result<Self> {
        unimplemented!()
    }

    /// A handle to submit requests.
    pub fn submitter(&self) -> Submitter<M::Request> {
        unimplemented!()
    }

    /// Stops taking requests, commits those that wait, and returns the machine and its still open log.
    ///
    /// # Errors
    /// [`Stopped`] when the thread had panicked.
    pub fn stop(self) -> Result<(M, Log), Stopped> {
        unimplemented!()
    }
}

/// A cloneable handle on a committer's queue.
pub struct Submitter<R> {
    _request: PhantomData<R>,
}

/// The committer takes no more requests.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the log's committer has stopped; the process is shutting down")]
pub struct Stopped;

/// Why a request was not taken; it is given back.
#[derive(Debug)]
pub enum SubmitError<R> {
    /// The queue is full: shed, or wait with [`Submitter::submit`].
    Overloaded(R),
    /// The committer has stopped.
    Stopped(R),
}

impl<R: Send> Submitter<R> {
    /// Queues a request of about `weight` bytes, waiting while the queue is full.
    ///
    /// # Errors
    /// [`Stopped`]: the request was not taken.
    pub async fn submit(&self, _request: R, _weight: usize) -> Result<(), Stopped> {
        unimplemented!()
    }

    /// [`Submitter::submit`] for plain threads.
    ///
    /// # Errors
    /// [`Stopped`]: the request was not taken.
    pub fn submit_blocking(&self, _request: R, _weight: usize) -> Result<(), Stopped> {
        unimplemented!()
    }

    /// Queues a request if there is room now.
    ///
    /// # Errors
    /// [`SubmitError`], with the request.
    pub fn try_submit(&self, _request: R, _weight: usize) -> Result<(), SubmitError<R>> {
        unimplemented!()
    }
}

impl<R> Clone for Submitter<R> {
    fn clone(&self) -> Self {
        unimplemented!()
    }
}
