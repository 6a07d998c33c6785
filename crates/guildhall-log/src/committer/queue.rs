//! The bounded queue before the committing thread, built so that a submission under load wakes nobody.

use std::{
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::{Semaphore, TryAcquireError};

use crate::block_on::block_on;

/// What a request costs besides its stated weight, in bytes; this bounds their number too.
const OVERHEAD: usize = 256;

/// A request and the room it gives back when it is taken.
pub(super) struct Waiting<R> {
    pub(super) request: R,
    pub(super) cost: usize,
}

struct State<R> {
    waiting: Vec<Waiting<R>>,
    /// The queue's length at which the committing thread wants to be woken; out of reach while it is at work.
    wake_at: usize,
    stopped: bool,
}

/// The queue; one thread takes, any number submit.
pub(super) struct Queue<R> {
    state: Mutex<State<R>>,
    wake: Condvar,
    /// Free bytes. Closed when the queue stops.
    room: Semaphore,
    capacity: usize,
}

impl<R> Queue<R> {
    pub(super) fn new(bytes: usize) -> Self {
        let capacity = bytes.clamp(OVERHEAD, u32::MAX as usize);
        Self {
            state: Mutex::new(State {
                waiting: Vec::new(),
                wake_at: usize::MAX,
                stopped: false,
            }),
            wake: Condvar::new(),
            room: Semaphore::new(capacity),
            capacity,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<R>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues a request whose room is taken already.
    fn push(&self, request: R, cost: usize) -> Result<(), R> {
        let mut state = self.lock();
        if state.stopped {
            return Err(request);
        }
        state.waiting.push(Waiting { request, cost });
        if state.waiting.len() >= state.wake_at {
            state.wake_at = usize::MAX;
            drop(state);
            self.wake.notify_one();
        }
        Ok(())
    }

    /// A request larger than the whole queue takes all of it.
    fn cost(&self, weight: usize) -> u32 {
        weight.saturating_add(OVERHEAD).min(self.capacity) as u32
    }

    /// Takes no more requests; those that wait will still be taken.
    pub(super) fn stop(&self) {
        self.room.close();
        self.lock().stopped = true;
        self.wake.notify_one();
    }

    /// Stops, and forgets whatever still waits, so that nobody waits for an answer from a thread that is gone.
    pub(super) fn abandon(&self) {
        self.stop();
        let left = std::mem::take(&mut self.lock().waiting);
        drop(left);
    }

    /// How many wait now.
    pub(super) fn len(&self) -> usize {
        self.lock().waiting.len()
    }

    /// Waits until a request is there; false when the queue has stopped and none is left.
    pub(super) fn wait(&self) -> bool {
        let mut state = self.lock();
        while state.waiting.is_empty() && !state.stopped {
            state.wake_at = 1;
            state = self
                .wake
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        state.wake_at = usize::MAX;
        !state.waiting.is_empty()
    }

    /// Waits until `count` requests are there, for at most `limit`, and says whether they came.
    pub(super) fn wait_for(&self, count: usize, limit: Duration) -> bool {
        let mut state = self.lock();
        if state.waiting.len() < count && !state.stopped {
            state.wake_at = count;
            let short = |state: &mut State<R>| state.waiting.len() < count && !state.stopped;
            (state, _) = self
                .wake
                .wait_timeout_while(state, limit, short)
                .unwrap_or_else(PoisonError::into_inner);
            state.wake_at = usize::MAX;
        }
        state.waiting.len() >= count
    }

    /// Takes everything that waits, in exchange for an empty vector whose allocation is reused.
    pub(super) fn take(&self, emptied: &mut Vec<Waiting<R>>) {
        std::mem::swap(&mut self.lock().waiting, emptied);
    }

    /// Gives room back.
    pub(super) fn release(&self, cost: usize) {
        self.room.add_permits(cost);
    }
}

/// A cloneable handle on a committer's queue.
pub struct Submitter<R> {
    queue: Arc<Queue<R>>,
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
    pub(super) fn new(queue: Arc<Queue<R>>) -> Self {
        Self { queue }
    }

    /// Queues a request of about `weight` bytes, waiting while the queue is full, in the order of the calls.
    ///
    /// # Errors
    /// [`Stopped`]: the request was not taken.
    pub async fn submit(&self, request: R, weight: usize) -> Result<(), Stopped> {
        let cost = self.queue.cost(weight);
        let room = self
            .queue
            .room
            .acquire_many(cost)
            .await
            .map_err(|_| Stopped)?;
        room.forget();
        self.queue.push(request, cost as usize).map_err(|_| Stopped)
    }

    /// [`Submitter::submit`] for plain threads.
    ///
    /// # Errors
    /// [`Stopped`]: the request was not taken.
    pub fn submit_blocking(&self, request: R, weight: usize) -> Result<(), Stopped> {
        block_on(self.submit(request, weight))
    }

    /// Queues a request if there is room now.
    ///
    /// # Errors
    /// [`SubmitError`], with the request.
    pub fn try_submit(&self, request: R, weight: usize) -> Result<(), SubmitError<R>> {
        let cost = self.queue.cost(weight);
        match self.queue.room.try_acquire_many(cost) {
            Ok(room) => room.forget(),
            Err(TryAcquireError::NoPermits) => return Err(SubmitError::Overloaded(request)),
            Err(TryAcquireError::Closed) => return Err(SubmitError::Stopped(request)),
        }
        self.queue
            .push(request, cost as usize)
            .map_err(SubmitError::Stopped)
    }
}

impl<R> Clone for Submitter<R> {
    fn clone(&self) -> Self {
        Self {
            queue: Arc::clone(&self.queue),
        }
    }
}
