//! What everyone is told who watches the same: decided and queued once, read by each from a place of its own.
//!
//! A change that 10,000 watch costs one entry of a queue and 10,000 wakers. A watcher is a [`Seat`]: how far it has
//! read, and whom to wake.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use super::scope::{Scope, Sight};
use super::{DocumentChange, EventKind};

/// The largest queue that a feed keeps while nobody is behind, in deliveries.
const KEPT: usize = 16;

/// What is watched; watchers of equal interests share a feed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Interest {
    pub(super) scope: Scope,
    pub(super) sight: Sight,
    /// How many deliveries may wait for a watcher; 0 for a long poll, which wants to know only that there is one.
    pub(super) capacity: usize,
}

/// All watchers of one interest.
#[derive(Debug)]
pub(super) struct Feed {
    pub(super) interest: Interest,
    state: Mutex<State>,
}

/// A change as a feed's watchers are told of it.
#[derive(Clone, Debug)]
pub(super) struct Delivery {
    pub(super) kind: EventKind,
    pub(super) change: Arc<DocumentChange>,
    /// Whether it is the last of its revision for these watchers.
    pub(super) last: bool,
}

#[derive(Debug, Default)]
struct State {
    queue: VecDeque<Delivery>,
    /// How many deliveries have left the queue.
    first: u64,
    /// The revision of the last one that left it before everyone had read it.
    dropped: u64,
    /// How many deliveries may be read: those of revisions that are complete.
    sealed: u64,
    /// Grows when everybody is to start over.
    epoch: u64,
    closed: bool,
    /// Whom to wake, by seat.
    wakers: Vec<Option<Waker>>,
    free: Vec<usize>,
    /// How many wakers there are: each stands for a watcher that has read everything.
    waiting: usize,
}

/// A watcher's place in its feed.
#[derive(Debug)]
pub(super) struct Seat {
    number: usize,
    /// How many deliveries were read or passed over.
    read: u64,
    epoch: u64,
    /// Changes up to this revision are known already.
    base: u64,
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

impl Interest {
    /// How `change` is told: a document that comes under the selection or leaves it is added or deleted. `None` if it
    /// is of no interest.
    pub(super) fn told(&self, change: &DocumentChange) -> Option<EventKind> {
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
}

impl Delivery {
    /// Appends a change told as `kind` to deliveries in revision order: what went before was its revision's last, if
    /// this begins another.
    pub(super) fn append(to: &mut VecDeque<Self>, kind: EventKind, change: &Arc<DocumentChange>) {
        if let Some(back) = to.back_mut()
            && back.change.revision != change.revision
        {
            back.last = true;
        }
        to.push_back(Self {
            kind,
            change: Arc::clone(change),
            last: false,
        });
    }
}

impl Feed {
    pub(super) fn new(interest: Interest) -> Self {
        Self {
            interest,
            state: Mutex::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a watcher in that knows of every change up to `base`, and is told of later deliveries only.
    pub(super) fn enter(&self, base: u64) -> Seat {
        let mut state = self.lock();
        let number = state.free.pop().unwrap_or(state.wakers.len());
        if number == state.wakers.len() {
            state.wakers.push(None);
        }
        Seat {
            number,
            read: state.sealed,
            epoch: state.epoch,
            base,
        }
    }

    /// Gives a watcher's place free; whether that was the last one.
    pub(super) fn leave(&self, seat: &Seat) -> bool {
        let mut state = self.lock();
        state.waiting -= usize::from(state.wakers[seat.number].take().is_some());
        state.free.push(seat.number);
        state.free.len() == state.wakers.len()
    }

    /// Takes a change in; it can be seen once [`Feed::seal`] is called. Whether it is of interest.
    pub(super) fn offer(&self, change: &Arc<DocumentChange>) -> bool {
        let Some(kind) = self.interest.told(change) else {
            return false;
        };
        let mut state = self.lock();
        // Whoever waits has read everything.
        if state.waiting == state.watchers() && state.is_sealed() {
            state.clear();
        }
        Delivery::append(&mut state.queue, kind, change);
        if state.queue.len() > self.interest.capacity
            && let Some(oldest) = state.queue.pop_front()
        {
            state.first += 1;
            state.dropped = oldest.change.revision;
        }
        true
    }

    /// Says that every change of the revisions offered has been offered; adds those who are to be woken.
    pub(super) fn seal(&self, wakes: &mut Vec<Waker>) {
        let mut state = self.lock();
        if let Some(back) = state.queue.back_mut() {
            back.last = true;
        }
        state.sealed = state.end();
        state.wake(wakes);
    }

    /// Tells everyone to start over; adds those who are to be woken.
    pub(super) fn resync(&self, wakes: &mut Vec<Waker>) {
        let mut state = self.lock();
        state.clear();
        state.epoch += 1;
        state.wake(wakes);
    }

    /// Tells everyone that there will be nothing more; adds those who are to be woken.
    pub(super) fn close(&self, wakes: &mut Vec<Waker>) {
        let mut state = self.lock();
        state.closed = true;
        state.wake(wakes);
    }

    /// Whether the watcher has read everything.
    pub(super) fn is_drained(&self, seat: &Seat) -> bool {
        let state = self.lock();
        seat.read == state.sealed && seat.epoch == state.epoch
    }

    /// Starts over: `base` is read while no delivery can come in between, and what waited is passed over.
    pub(super) fn restart<T>(&self, seat: &mut Seat, current: impl FnOnce() -> (u64, T)) -> T {
        let state = self.lock();
        let (base, value) = current();
        (seat.base, seat.read, seat.epoch) = (base, state.sealed, state.epoch);
        value
    }

    /// The next thing to tell, or a promise to wake.
    pub(super) fn poll(&self, seat: &mut Seat, context: &Context<'_>) -> Poll<Next> {
        let mut state = self.lock();
        let missed = seat.read < state.first && state.dropped > seat.base;
        if seat.epoch != state.epoch || missed {
            return Poll::Ready(Next::Lost);
        }
        seat.read = seat.read.max(state.first);
        while seat.read < state.sealed {
            let delivery = &state.queue[(seat.read - state.first) as usize];
            seat.read += 1;
            if delivery.change.revision > seat.base {
                return Poll::Ready(Next::Delivery(delivery.clone()));
            }
        }
        if state.closed {
            return Poll::Ready(Next::Closed);
        }
        match &mut state.wakers[seat.number] {
            Some(waker) => waker.clone_from(context.waker()),
            none => {
                *none = Some(context.waker().clone());
                state.waiting += 1;
            }
        }
        Poll::Pending
    }
}

impl State {
    fn watchers(&self) -> usize {
        self.wakers.len() - self.free.len()
    }

    /// How many deliveries there have been.
    fn end(&self) -> u64 {
        self.first + self.queue.len() as u64
    }

    fn is_sealed(&self) -> bool {
        self.sealed == self.end()
    }

    fn clear(&mut self) {
        self.first = self.end();
        self.sealed = self.first;
        self.queue.clear();
        self.queue.shrink_to(KEPT);
    }

    fn wake(&mut self, wakes: &mut Vec<Waker>) {
        self.waiting = 0;
        wakes.extend(self.wakers.iter_mut().filter_map(Option::take));
    }
}

#[cfg(test)]
mod tests {
    use guildhall_core::document::{DocumentKey, Kind, Namespace};

    use super::*;

    fn feed(capacity: usize) -> Feed {
        Feed::new(Interest {
            scope: Scope::all(),
            sight: Sight::Whole,
            capacity,
        })
    }

    fn deliver(feed: &Feed, revision: u64) -> usize {
        let key = DocumentKey::new(Kind::Service, Namespace::default(), "s");
        let document =
            guildhall_core::document::Document::from(guildhall_core::document::Object::new(
                guildhall_core::document::Metadata::named(Namespace::default(), "s"),
                guildhall_core::registry::Service::default(),
            ));
        let change = DocumentChange::new(revision, key, None, Some(document));
        assert!(feed.offer(&Arc::new(change)));
        let mut wakes = Vec::new();
        feed.seal(&mut wakes);
        wakes.len()
    }

    fn look(feed: &Feed, seat: &mut Seat) -> String {
        match feed.poll(seat, &Context::from_waker(Waker::noop())) {
            Poll::Pending => "waits".to_owned(),
            Poll::Ready(Next::Delivery(delivery)) => delivery.change.revision.to_string(),
            Poll::Ready(other) => format!("{other:?}"),
        }
    }

    #[test]
    fn each_watcher_reads_on_from_its_own_place() {
        let feed = feed(3);
        let (mut early, mut late) = (feed.enter(0), feed.enter(0));
        assert_eq!(look(&feed, &mut early), "waits");
        assert_eq!(deliver(&feed, 1), 1, "only who waits is woken");
        assert_eq!(deliver(&feed, 2), 0);
        let mut new = feed.enter(2);
        for expected in ["1", "2", "waits"] {
            assert_eq!(look(&feed, &mut early), expected);
        }
        assert_eq!(look(&feed, &mut new), "waits");
        assert_eq!(deliver(&feed, 3), 2);
        assert_eq!(
            (look(&feed, &mut new), look(&feed, &mut late)),
            ("3".to_owned(), "1".to_owned())
        );
        deliver(&feed, 4);
        deliver(&feed, 5);
        assert_eq!(look(&feed, &mut late), "Lost", "more than three waited");
        assert_eq!(look(&feed, &mut early), "3");
        assert!(!feed.is_drained(&late));
        feed.restart(&mut late, || (5, ()));
        assert!(feed.is_drained(&late));
        assert_eq!(look(&feed, &mut late), "waits");
    }

    #[test]
    fn what_a_watcher_knows_already_is_passed_over() {
        let feed = feed(8);
        let mut seat = feed.enter(2);
        for revision in 1..4 {
            deliver(&feed, revision);
        }
        assert_eq!(look(&feed, &mut seat), "3");
        assert_eq!(look(&feed, &mut seat), "waits");
    }

    #[test]
    fn what_everybody_has_read_is_forgotten() {
        let feed = feed(8);
        let (mut one, mut other) = (feed.enter(0), feed.enter(0));
        for revision in 1..50 {
            deliver(&feed, revision);
            for seat in [&mut one, &mut other] {
                assert_eq!(look(&feed, seat), revision.to_string());
                assert_eq!(look(&feed, seat), "waits");
            }
            assert_eq!(feed.lock().queue.len(), 1);
        }
        assert!(!feed.leave(&one));
        assert_eq!(feed.enter(0).number, one.number, "places are given again");
        feed.lock().free.push(one.number);
        assert!(feed.leave(&other), "nobody is left");
    }

    #[test]
    fn everybody_starts_over_and_ends_together() {
        let feed = feed(8);
        let (mut one, mut other) = (feed.enter(0), feed.enter(0));
        assert_eq!(look(&feed, &mut one), "waits");
        deliver(&feed, 1);
        let mut wakes = Vec::new();
        feed.resync(&mut wakes);
        for seat in [&mut one, &mut other] {
            assert_eq!(look(&feed, seat), "Lost");
            feed.restart(seat, || (7, ()));
            assert_eq!(look(&feed, seat), "waits");
        }
        feed.close(&mut wakes);
        assert_eq!(wakes.len(), 2);
        assert_eq!(look(&feed, &mut one), "Closed");
    }

    #[test]
    fn a_long_poll_keeps_nothing_and_learns_that_there_is_news() {
        let feed = feed(0);
        let mut seat = feed.enter(4);
        deliver(&feed, 4);
        assert_eq!(
            look(&feed, &mut seat),
            "waits",
            "it was asked with that one known"
        );
        assert_eq!(deliver(&feed, 5), 1);
        assert_eq!(feed.lock().queue.len(), 0);
        assert_eq!(look(&feed, &mut seat), "Lost");
    }
}
