//! Who waits, in order: the part of a bulkhead that needs a lock. It knows places in line and nothing of permits.

use std::time::Instant;

use crate::linked::Linked;

/// Waiters, the one that has waited longest first.
#[derive(Debug)]
pub(super) struct Queue<W> {
    waiters: Linked<Waiter<W>>,
    /// So that a place in the slab that is used again is not taken for the waiter that was there before.
    next: u64,
}

#[derive(Debug)]
struct Waiter<W> {
    number: u64,
    wake: W,
}

/// Where a waiter stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Position {
    slot: u32,
    number: u64,
    /// When it stops waiting.
    pub(super) deadline: Instant,
}

impl<W> Queue<W> {
    pub(super) fn new() -> Self {
        Self {
            waiters: Linked::new(),
            next: 0,
        }
    }

    pub(super) fn push(&mut self, wake: W, deadline: Instant) -> Position {
        let number = self.next;
        self.next += 1;
        Position {
            slot: self.waiters.push_back(Waiter { number, wake }),
            number,
            deadline,
        }
    }

    /// Takes the first out: it has a place now.
    pub(super) fn pop(&mut self) -> Option<W> {
        let first = self.waiters.front()?;
        Some(self.waiters.remove(first)?.wake)
    }

    /// Whether it still waits; if not, it was handed a place.
    pub(super) fn waits(&self, position: &Position) -> bool {
        self.waiters
            .get(position.slot)
            .is_some_and(|waiter| waiter.number == position.number)
    }

    /// What is to be woken from now on. The one before comes back, to be dropped without the lock: a waker's drop may
    /// run anything, a ticket's drop included.
    #[must_use]
    pub(super) fn set_wake(&mut self, position: &Position, wake: W) -> Option<W> {
        let waiter = self.waiters.get_mut(position.slot)?;
        (waiter.number == position.number).then(|| std::mem::replace(&mut waiter.wake, wake))
    }

    /// Takes it out of the line, with what it would have been woken with; `None` if it was handed a place.
    #[must_use]
    pub(super) fn remove(&mut self, position: &Position) -> Option<W> {
        if !self.waits(position) {
            return None;
        }
        Some(self.waiters.remove(position.slot)?.wake)
    }
}
