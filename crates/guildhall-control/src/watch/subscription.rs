//! A stream of one scope's events: gapless, or with a `resync` where a gap would be.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use arc_swap::ArcSwap;
use guildhall_core::access::Caller;
use guildhall_core::document::{DocumentKey, Index};

use super::feed::{Delivery, Feed, Interest, Next, Seat};
use super::scope::{Scope, Sight};
use super::{Event, Hub};
use crate::Error;
use crate::view::State;

/// How many documents of a state are looked up at a time.
const STRIDE: usize = 256;

/// A watch in progress; dropping it ends it.
#[derive(Debug)]
pub struct Subscription {
    hub: Arc<Hub>,
    view: Arc<ArcSwap<State>>,
    feed: Arc<Feed>,
    seat: Seat,
    /// What happened since the position to resume from, before this watcher entered its feed.
    missed: VecDeque<Delivery>,
    /// The position to resume from is no longer known.
    lost: bool,
    replay: Option<Replay>,
    incarnation: u64,
    /// The last revision of which everything has been told.
    position: u64,
}

/// A state being told, document by document.
#[derive(Debug)]
struct Replay {
    state: Arc<State>,
    after: Option<DocumentKey>,
    ready: VecDeque<guildhall_core::document::Document>,
    ended: bool,
}

impl Subscription {
    /// Starts watching: from nothing, or from where the watcher says it stands. `queue` is how
    /// many events may wait.
    pub(crate) fn open(
        hub: &Arc<Hub>,
        view: &Arc<ArcSwap<State>>,
        caller: &Caller,
        scope: Scope,
        from: Option<Index>,
        queue: usize,
    ) -> Result<Self, Error> {
        let sight = Sight::of(caller, scope.kinds, scope.namespace.as_ref())?;
        let mut inner = hub.lock();
        let state = view.load_full();
        let current = state.index;
        let known = from.filter(|from| current.covers(*from));
        let interest = Interest {
            scope,
            sight,
            capacity: queue,
        };
        let mut missed = VecDeque::new();
        let mut lost = false;
        match (from, known.and_then(|known| inner.since(known.revision))) {
            (None, _) => {}
            (Some(_), Some(changes)) => {
                for change in changes {
                    if let Some(kind) = interest.told(change) {
                        Delivery::append(&mut missed, kind, change);
                    }
                }
                if let Some(back) = missed.back_mut() {
                    back.last = true;
                }
                lost = missed.len() > queue;
            }
            (Some(_), None) => lost = true,
        }
        // What has been published and not delivered yet is told to those who resume, and is in the state of the others.
        let base = known.map_or(current.revision, |known| known.revision);
        let watchers = hub.options.watchers;
        let (feed, seat) = inner
            .enter(interest, base, watchers)
            .ok_or(Error::TooManyWatchers { most: watchers })?;
        drop(inner);
        Ok(Self {
            hub: Arc::clone(hub),
            view: Arc::clone(view),
            feed,
            seat,
            missed,
            lost,
            replay: from.is_none().then(|| Replay::of(state)),
            incarnation: current.incarnation,
            position: known.map_or(0, |known| known.revision),
        })
    }

    /// The next event; `None` once the control plane has stopped. Cancel-safe.
    ///
    /// Without a position to resume from, the first events are all documents in scope as `added`,
    /// then a `bookmark`. After a `resync` the same comes again.
    pub async fn next(&mut self) -> Option<Event> {
        poll_fn(|context| self.poll_next(context)).await
    }

    /// [`Subscription::next`] for those who poll.
    pub fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Event>> {
        if let Some(replay) = &mut self.replay {
            let Interest { scope, sight, .. } = &self.feed.interest;
            if let Some(document) = replay.next(scope, sight) {
                return Poll::Ready(Some(Event::state(document)));
            }
            let index = replay.state.index;
            self.replay = None;
            self.position = index.revision;
            return Poll::Ready(Some(Event::bookmark(index)));
        }
        match ready!(self.poll_feed(context)) {
            Next::Delivery(delivery) => {
                let index = delivery.last.then_some(Index {
                    incarnation: self.incarnation,
                    revision: delivery.change.revision,
                });
                if let Some(index) = index {
                    self.position = index.revision;
                }
                Poll::Ready(Some(Event::change(delivery.kind, index, delivery.change)))
            }
            Next::Lost => {
                self.hub.count_resync();
                let state = self.feed.restart(&mut self.seat, || {
                    let state = self.view.load_full();
                    (state.index.revision, state)
                });
                (self.missed, self.lost) = (VecDeque::new(), false);
                self.incarnation = state.index.incarnation;
                self.replay = Some(Replay::of(state));
                Poll::Ready(Some(Event::resync()))
            }
            Next::Closed => Poll::Ready(None),
        }
    }

    fn poll_feed(&mut self, context: &Context<'_>) -> Poll<Next> {
        if self.lost {
            return Poll::Ready(Next::Lost);
        }
        match self.missed.pop_front() {
            Some(delivery) => Poll::Ready(Next::Delivery(delivery)),
            None => self.feed.poll(&mut self.seat, context),
        }
    }

    /// A bookmark, if everything up to it has been told: for keeping an idle stream's reader up to
    /// date about where to resume. `None` while events wait, or if the last event said as much.
    pub fn bookmark(&mut self) -> Option<Event> {
        if self.replay.is_some() || self.lost || !self.missed.is_empty() {
            return None;
        }
        // While the hub is locked nothing is being delivered, so a drained watcher has been told
        // everything up to what was delivered.
        let delivered = self.hub.lock().delivered;
        let new = delivered.incarnation == self.incarnation && delivered.revision > self.position;
        if !new || !self.feed.is_drained(&self.seat) {
            return None;
        }
        self.position = delivered.revision;
        Some(Event::bookmark(delivered))
    }

    /// What is being watched.
    pub fn scope(&self) -> &Scope {
        &self.feed.interest.scope
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.hub.lock().leave(&self.feed, &self.seat);
    }
}

impl Replay {
    fn of(state: Arc<State>) -> Self {
        Self {
            state,
            after: None,
            ready: VecDeque::new(),
            ended: false,
        }
    }

    fn next(&mut self, scope: &Scope, sight: &Sight) -> Option<guildhall_core::document::Document> {
        while self.ready.is_empty() && !self.ended {
            let mut seen = sight.remembered();
            let mut looked = 0;
            let mut last = None;
            for (key, document) in self.state.in_scope(scope, self.after.as_ref()).take(STRIDE) {
                looked += 1;
                last = Some(key.clone());
                if scope.selects(document) && seen(key) {
                    self.ready.push_back(document.clone());
                }
            }
            self.ended = looked < STRIDE;
            self.after = last.or(self.after.take());
        }
        self.ready.pop_front()
    }
}
