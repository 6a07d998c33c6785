//! Group commit on one thread: everything that waits is staged together and shares one write and one fdatasync.

mod gather;
mod queue;
mod run;

use std::{sync::Arc, thread, time::Duration};

use crate::{CommitError, Log};
use queue::Queue;
pub use queue::{Stopped, SubmitError, Submitter};

/// What a committer drives: the owner's state, its decisions, and its replies.
///
/// Per group, in order: `stage` for each request taken, one commit, then `committed` or `failed`. State that others see
/// is published in `committed`, never in `stage`. Whatever was waiting is shown to `prepare` before.
pub trait Machine: Send + 'static {
    /// What callers submit; reply channels travel inside it.
    type Request: Send + 'static;

    /// These are about to be staged, in this order: what they need from elsewhere can be had for all of them at once.
    fn prepare<'a>(&mut self, _requests: impl Iterator<Item = &'a mut Self::Request>) {}

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
    queue: Arc<Queue<M::Request>>,
    /// Taken by whoever ends the thread.
    thread: Option<thread::JoinHandle<(M, Log)>>,
}

impl<M: Machine> Committer<M> {
    /// Starts the thread.
    ///
    /// # Errors
    /// The operating system gave no thread.
    pub fn start(log: Log, machine: M, options: CommitterOptions) -> std::io::Result<Self> {
        let queue = Arc::new(Queue::new(options.queue_bytes));
        let name = options.name.clone();
        let taking = Arc::clone(&queue);
        let thread = thread::Builder::new()
            .name(name)
            .spawn(move || run::run(log, machine, &taking, &options))?;
        Ok(Self {
            queue,
            thread: Some(thread),
        })
    }

    /// A handle to submit requests.
    pub fn submitter(&self) -> Submitter<M::Request> {
        Submitter::new(Arc::clone(&self.queue))
    }

    /// Stops taking requests, commits those that wait, and returns the machine and its still open log. Blocks for that
    /// long.
    ///
    /// # Errors
    /// [`Stopped`] when the thread had panicked.
    pub fn stop(mut self) -> Result<(M, Log), Stopped> {
        self.queue.stop();
        self.thread
            .take()
            .and_then(|thread| thread.join().ok())
            .ok_or(Stopped)
    }
}

impl<M: Machine> Drop for Committer<M> {
    fn drop(&mut self) {
        self.queue.stop();
        let Some(thread) = self.thread.take() else {
            return;
        };
        // A panic of the machine's was reported by its thread; nothing durable depends on the closing frame.
        if let Ok((_, log)) = thread.join()
            && let Err(error) = log.close()
        {
            tracing::warn!(%error, "the log was not closed in order; it will be recovered");
        }
    }
}
