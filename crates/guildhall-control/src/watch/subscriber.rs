//! The hub's end of a watcher: what waits for it, and whom to wake.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use super::scope::{Scope, Sight};
use super::{DocumentChange, EventKind};

/// The largest buffer that an idle watcher keeps, in deliveries.
const KEPT: usize = 16;

/// One watcher.
#[derive(Debug)]
pub(super) struct Subscriber {
    pub(super) scope: Scope,
    pub(super) sight: Sight,
    /// How many deliveries may wait; 0 for a long poll, which wants to know only that there is one.
    capacity: usize,
    queue: Mutex<Queue>,
}

/// A change as one watcher is told of it.
#[derive(Clone, Debug)]
pub(super) struct Delivery {
    pub(super) kind: EventKind,
    pub(super) change: Arc<DocumentChange>,
    /// Whether it is the last of its revision for this watcher.
    pub(super) last: bool,
}

#[derive(Debug, Default)]
struct Queue {
    /// Changes up to this revision are known already.
    base: u64,
    waiting: VecDeque<Delivery>,
    /// How many of them may be taken: those of revisions that are complete.
    sealed: usize,
    /// Deliveries were dropped: the watcher starts over from the current state. For a long poll
    /// this is all it is ever told.
    lost: bool,
    closed: bool,
    waker: Option<Waker>,
}

/// What a watcher finds when it looks.
#[derive(Debug)]
pub(super) enum Next {
    /// The next change.
    Delivery(Delivery),
    /// Changes were lost, or everything changed: start over from the current state.
    Lost,
    /// The control plane has stopped.
    Closed,
}

impl Subscriber {
    pub(super) fn new(scope: Scope, sight: Sight, capacity: usize, base: u64) -> Self {
        Self {
            scope,
            sight,
            capacity,
            queue: Mutex::new(Queue {
                base,
                ..Queue::default()
            }),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How the watcher is told of `change`: a document that enters or leaves the selector is
    /// added or deleted. `None` if it is not concerned.
    fn told(&self, change: &DocumentChange) -> Option<EventKind> {
        if !self.scope.holds_key(&change.key) || !self.sight.sees(&change.key) {
            return None;
        }
        let selected = |side: &Option<_>| {
            side.as_ref()
                .is_some_and(|document| self.scope.selects(document))
        };
        match (selected(&change.before), selected(&change.after)) {
            (false, false) => None,
            (false, true) => Some(EventKind::Added),
            (true, true) => Some(EventKind::Modified),
            (true, false) => Some(EventKind::Deleted),
        }
    }

    /// Takes a change in; it can be seen once [`Subscriber::seal`] is called. Whether it concerns
    /// the watcher.
    pub(super) fn offer(&self, change: &Arc<DocumentChange>) -> bool {
        let Some(kind) = self.told(change) else {
            return false;
        };
        let mut queue = self.lock();
        if change.revision <= queue.base || queue.lost {
            return false;
        }
        if queue.waiting.len() >= self.capacity {
            queue.lose();
            return true;
        }
        if let Some(back) = queue.waiting.back_mut()
            && back.change.revision != change.revision
        {
            back.last = true;
        }
        queue.waiting.push_back(Delivery {
            kind,
            change: Arc::clone(change),
            last: false,
        });
        true
    }

    /// Says that every change of the revisions offered has been offered; whom to wake.
    pub(super) fn seal(&self) -> Option<Waker> {
        let mut queue = self.lock();
        if let Some(back) = queue.waiting.back_mut() {
            back.last = true;
        }
        queue.sealed = queue.waiting.len();
        queue.waker.take()
    }

    /// Tells the watcher to start over; whom to wake.
    pub(super) fn lose(&self) -> Option<Waker> {
        let mut queue = self.lock();
        queue.lose();
        queue.waker.take()
    }

    /// Tells the watcher that there will be nothing more; whom to wake.
    pub(super) fn close(&self) -> Option<Waker> {
        let mut queue = self.lock();
        queue.closed = true;
        queue.waker.take()
    }

    /// Whether nothing waits for the watcher.
    pub(super) fn is_drained(&self) -> bool {
        let queue = self.lock();
        queue.waiting.is_empty() && !queue.lost
    }

    /// Starts over: `base` is read while no delivery can come in between, and what waited is
    /// dropped.
    pub(super) fn restart<T>(&self, current: impl FnOnce() -> (u64, T)) -> T {
        let mut queue = self.lock();
        let (base, value) = current();
        queue.base = base;
        queue.waiting = VecDeque::new();
        queue.sealed = 0;
        queue.lost = false;
        value
    }

    /// The next thing to tell, or a promise to wake.
    pub(super) fn poll(&self, context: &Context<'_>) -> Poll<Next> {
        let mut queue = self.lock();
        if queue.lost {
            return Poll::Ready(Next::Lost);
        }
        if queue.sealed > 0
            && let Some(delivery) = queue.waiting.pop_front()
        {
            queue.sealed -= 1;
            if queue.waiting.is_empty() && queue.waiting.capacity() > KEPT {
                queue.waiting = VecDeque::new();
            }
            return Poll::Ready(Next::Delivery(delivery));
        }
        if queue.closed {
            return Poll::Ready(Next::Closed);
        }
        match &mut queue.waker {
            Some(waker) => waker.clone_from(context.waker()),
            none => *none = Some(context.waker().clone()),
        }
        Poll::Pending
    }
}

impl Queue {
    fn lose(&mut self) {
        self.waiting = VecDeque::new();
        self.sealed = 0;
        self.lost = true;
    }
}
