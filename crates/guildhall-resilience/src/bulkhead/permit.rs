//! Places, and places in the queue, that give themselves back.

use std::marker::PhantomData;
use std::ops::Deref;
use std::task::Waker;
use std::time::Instant;

use super::queue::Position;
use super::{Bulkhead, Refusal};

/// What a waiter is woken with: a task's waker, or whatever a shell of another kind needs.
pub trait Wakeup {
    /// Makes the waiter [ask again](Ticket::poll). Called without a lock held, perhaps from a drop.
    fn wake(self);
}

impl Wakeup for Waker {
    fn wake(self) {
        Self::wake(self);
    }
}

/// For callers that ask again by themselves.
impl Wakeup for () {
    fn wake(self) {}
}

/// What a request found.
#[derive(Debug)]
#[must_use]
pub enum Entry<B: Deref<Target = Bulkhead<W>>, W: Wakeup = Waker> {
    /// A place.
    Admitted(Permit<B, W>),
    /// A place in the queue.
    Queued(Ticket<B, W>),
}

/// A place in a bulkhead. Dropping it hands it to the first that waits.
///
/// `B` is a reference within a function and an `Arc` in a future.
#[derive(Debug)]
#[must_use = "dropping a permit gives the place back"]
pub struct Permit<B: Deref<Target = Bulkhead<W>>, W: Wakeup = Waker> {
    bulkhead: B,
    wakes: PhantomData<fn() -> W>,
}

impl<B: Deref<Target = Bulkhead<W>>, W: Wakeup> Permit<B, W> {
    pub(super) fn new(bulkhead: B) -> Self {
        Self {
            bulkhead,
            wakes: PhantomData,
        }
    }
}

impl<B: Deref<Target = Bulkhead<W>>, W: Wakeup> Drop for Permit<B, W> {
    fn drop(&mut self) {
        if let Some(next) = self.bulkhead.leave() {
            next.wake();
        }
    }
}

/// How far a waiter has come.
#[derive(Debug)]
#[must_use]
pub enum Progress<B: Deref<Target = Bulkhead<W>>, W: Wakeup = Waker> {
    /// It has a place.
    Admitted(Permit<B, W>),
    /// It waits on, and is woken when it has one. Nothing wakes it at its [deadline](Ticket::deadline): that is a timer
    /// of the shell's.
    Waiting,
    /// Its deadline was over first.
    TooLate(Refusal),
}

/// A place in the queue. Dropping it leaves the queue; if a place had just been handed to it, that goes to the next.
#[derive(Debug)]
#[must_use = "dropping a ticket leaves the queue"]
pub struct Ticket<B: Deref<Target = Bulkhead<W>>, W: Wakeup = Waker> {
    /// None once it has been admitted or was too late.
    bulkhead: Option<B>,
    position: Position,
    wakes: PhantomData<fn() -> W>,
}

impl<B: Deref<Target = Bulkhead<W>>, W: Wakeup> Ticket<B, W> {
    pub(super) fn new(bulkhead: B, position: Position) -> Self {
        Self {
            bulkhead: Some(bulkhead),
            position,
            wakes: PhantomData,
        }
    }

    /// When it stops waiting.
    pub fn deadline(&self) -> Instant {
        self.position.deadline
    }

    /// How far it has come. `wake` makes what it is woken with from now on.
    ///
    /// # Panics
    /// After it has been admitted or was too late: a ticket is good for one of them.
    pub fn poll(&mut self, now: Instant, wake: impl FnOnce() -> W) -> Progress<B, W> {
        #[expect(
            clippy::expect_used,
            reason = "documented, as for a future that is polled after its end"
        )]
        let bulkhead = self.bulkhead.take().expect("a ticket is used once");
        match bulkhead.progress(&self.position, now, wake) {
            None => {
                self.bulkhead = Some(bulkhead);
                Progress::Waiting
            }
            Some(true) => Progress::Admitted(Permit::new(bulkhead)),
            Some(false) => Progress::TooLate(bulkhead.refusal()),
        }
    }
}

impl<B: Deref<Target = Bulkhead<W>>, W: Wakeup> Drop for Ticket<B, W> {
    fn drop(&mut self) {
        if let Some(bulkhead) = &self.bulkhead
            && let Some(next) = bulkhead.cancel(&self.position)
        {
            next.wake();
        }
    }
}
