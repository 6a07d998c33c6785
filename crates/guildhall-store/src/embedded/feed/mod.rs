//! Hands committed revisions to watchers.
//!
//! There are no queues to fill up: all watchers read the one bounded [`History`], each at its own place. The writer only
//! notes, for a watcher with nothing pending, the first revision that concerns it, and wakes it; so a commit costs
//! nothing for watchers of other prefixes, nor for those that are awake already. A watcher whose place has left the
//! history is told so ([`WatchError::Overflow`]).

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
    time::Instant,
};

use bytes::Bytes;
use guildhall_log::Sequence;

use super::history::History;
use crate::{Event, Progress, Unavailable, Watch, WatchBatch, WatchError, WatchItem, WatchSource};

/// Every so many revisions all watchers get a bookmark, so that quiet ones resume within the history too.
const BOOKMARK_EVERY: u64 = 1000;
/// Revisions that a watcher looks at before it gives the lock back.
const LOOK: usize = 1024;
/// Items and bytes that a watcher takes out at once: what it can keep alive beyond the history's bounds.
const TAKE: usize = 128;
const TAKE_BYTES: usize = 256 << 10;

/// The history and those who follow it. Writer and watchers share it.
pub(crate) struct Feed {
    state: Mutex<State>,
}

struct State {
    history: History,
    watchers: BTreeMap<u64, Watcher>,
    last_id: u64,
    /// Watchers by prefix, and how many prefixes there are of each length.
    by_prefix: HashMap<Bytes, Vec<u64>>,
    lengths: BTreeMap<usize, usize>,
    closed: bool,
}

/// What the writer keeps of a watcher.
struct Watcher {
    prefix: Bytes,
    /// Revisions before this one do not concern it.
    from: u64,
    /// The first revision it has yet to look at. Without one, nothing up to the head concerns it.
    pending: Option<u64>,
    /// It is to say how far it has come even if nothing concerns it.
    bookmark: bool,
    waker: Option<Waker>,
}

impl Feed {
    pub(crate) fn new(history: History) -> Self {
        Self {
            state: Mutex::new(State {
                history,
                watchers: BTreeMap::new(),
                last_id: 0,
                by_prefix: HashMap::new(),
                lengths: BTreeMap::new(),
                closed: false,
            }),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a group of revisions and wakes whom they concern. Called after the state with these revisions was
    /// published, so that whoever hears of a revision can read it.
    pub(crate) fn publish(&self, group: &mut Vec<(WatchBatch, Sequence)>, now: Instant) {
        let mut woken = Vec::new();
        let mut state = self.lock();
        let before = state.history.head();
        for (batch, sequence) in group.drain(..) {
            if !state.watchers.is_empty() {
                batch
                    .events
                    .iter()
                    .for_each(|event| state.note(event.key(), batch.revision, &mut woken));
            }
            state.history.push(batch, sequence, now);
        }
        state.history.trim(now);
        if before / BOOKMARK_EVERY != state.history.head() / BOOKMARK_EVERY {
            for watcher in state.watchers.values_mut() {
                watcher.bookmark = true;
                woken.extend(watcher.waker.take());
            }
        }
        drop(state);
        woken.into_iter().for_each(Waker::wake);
    }

    /// Gives up history.
    pub(crate) fn compact(&self, revision: u64) {
        self.lock().history.compact(revision);
    }

    /// The last revision that can no longer be watched from.
    pub(crate) fn compacted(&self) -> u64 {
        self.lock().history.compacted()
    }

    /// The log record of the oldest revision kept.
    pub(crate) fn oldest_record(&self) -> Option<Sequence> {
        self.lock().history.oldest_record()
    }

    /// Ends every watch.
    pub(crate) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        let wakers: Vec<Waker> = state
            .watchers
            .values_mut()
            .filter_map(|watcher| watcher.waker.take())
            .collect();
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Begins a watch.
    pub(crate) fn watch(
        self: &Arc<Self>,
        prefix: &[u8],
        from: Option<u64>,
    ) -> Result<Watch, WatchError> {
        let mut state = self.lock();
        let head = state.history.head();
        let compacted = state.history.compacted();
        if state.closed {
            return Err(Unavailable::Stopped.into());
        }
        if from.is_some_and(|from| from <= compacted) {
            return Err(WatchError::Compacted {
                oldest: compacted + 1,
            });
        }
        let prefix = Bytes::copy_from_slice(prefix);
        let watcher = Watcher {
            prefix: prefix.clone(),
            from: from.unwrap_or(head + 1),
            pending: from.filter(|from| *from <= head),
            bookmark: from.is_none_or(|from| from <= head + 1),
            waker: None,
        };
        let id = state.add(watcher);
        drop(state);
        Ok(Watch::new(Follower {
            feed: Arc::clone(self),
            id,
            prefix,
            taken: VecDeque::new(),
            told: 0,
        }))
    }
}

impl State {
    fn add(&mut self, watcher: Watcher) -> u64 {
        self.last_id += 1;
        let same = self.by_prefix.entry(watcher.prefix.clone()).or_default();
        if same.is_empty() {
            *self.lengths.entry(watcher.prefix.len()).or_insert(0) += 1;
        }
        same.push(self.last_id);
        self.watchers.insert(self.last_id, watcher);
        self.last_id
    }

    fn remove(&mut self, id: u64) {
        let Some(watcher) = self.watchers.remove(&id) else {
            return;
        };
        let Some(same) = self.by_prefix.get_mut(&watcher.prefix) else {
            return;
        };
        same.retain(|other| *other != id);
        if same.is_empty() {
            self.by_prefix.remove(&watcher.prefix);
            let length = watcher.prefix.len();
            if let Some(count) = self.lengths.get_mut(&length) {
                *count -= 1;
                if *count == 0 {
                    self.lengths.remove(&length);
                }
            }
        }
    }

    /// Notes for every watcher of a prefix of `key` that `revision` concerns it.
    fn note(&mut self, key: &[u8], revision: u64, woken: &mut Vec<Waker>) {
        for length in self.lengths.range(..=key.len()).map(|(length, _)| *length) {
            for id in self.by_prefix.get(&key[..length]).into_iter().flatten() {
                let Some(watcher) = self.watchers.get_mut(id) else {
                    continue;
                };
                if watcher.pending.is_none() && watcher.from <= revision {
                    watcher.pending = Some(revision);
                    woken.extend(watcher.waker.take());
                }
            }
        }
    }
}

/// A watcher's own side: what it has taken out of the history and not yet yielded.
struct Follower {
    feed: Arc<Feed>,
    id: u64,
    prefix: Bytes,
    taken: VecDeque<WatchBatch>,
    /// The revision of the last item yielded.
    told: u64,
}

/// What a look at the history came to.
enum Look {
    /// Something was taken.
    Taken,
    /// Nothing concerns the watcher so far, but there is more to look at.
    More,
    /// Everything up to the head was yielded.
    Done { head: u64, bookmark: bool },
}

impl Follower {
    /// Takes revisions that concern this watcher out of the history. Leaves `waker` behind when there are none.
    fn look(&mut self, waker: &Waker) -> Result<Look, WatchError> {
        let mut state = self.feed.lock();
        let State {
            history,
            watchers,
            closed,
            ..
        } = &mut *state;
        let Some(watcher) = watchers.get_mut(&self.id).filter(|_| !*closed) else {
            return Err(Unavailable::Stopped.into());
        };
        let head = history.head();
        let Some(pending) = watcher.pending else {
            let bookmark = std::mem::take(&mut watcher.bookmark);
            if !bookmark {
                watcher.waker = Some(waker.clone());
            }
            return Ok(Look::Done { head, bookmark });
        };
        let revisions = history.since(pending).ok_or(WatchError::Overflow)?;
        let mut next = pending;
        let mut bytes = 0;
        for batch in revisions.take(LOOK) {
            if self.taken.len() >= TAKE || bytes >= TAKE_BYTES {
                break;
            }
            next = batch.revision + 1;
            if let Some(batch) = matching(batch, &self.prefix) {
                bytes += batch.events.iter().map(value_bytes).sum::<usize>();
                self.taken.push_back(batch);
            }
        }
        watcher.pending = (next <= head).then_some(next);
        if next > head && head > self.taken.back().map_or(0, |batch| batch.revision) {
            watcher.bookmark = true;
        }
        Ok(if self.taken.is_empty() {
            Look::More
        } else {
            Look::Taken
        })
    }
}

impl WatchSource for Follower {
    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Result<WatchItem, WatchError>> {
        loop {
            if let Some(batch) = self.taken.pop_front() {
                self.told = batch.revision;
                return Poll::Ready(Ok(WatchItem::Changes(batch)));
            }
            match self.look(context.waker()) {
                Err(error) => return Poll::Ready(Err(error)),
                Ok(Look::Taken | Look::More) => {}
                Ok(Look::Done {
                    head,
                    bookmark: true,
                }) => {
                    self.told = self.told.max(head);
                    return Poll::Ready(Ok(WatchItem::Bookmark(self.told)));
                }
                Ok(Look::Done { .. }) => return Poll::Pending,
            }
        }
    }

    fn progress(&self) -> Progress {
        let feed = Arc::clone(&self.feed);
        let id = self.id;
        Progress::new(move || {
            let waker = feed.lock().watchers.get_mut(&id).and_then(|watcher| {
                watcher.bookmark = true;
                watcher.waker.take()
            });
            if let Some(waker) = waker {
                waker.wake();
            }
        })
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.feed.lock().remove(self.id);
    }
}

fn value_bytes(event: &Event) -> usize {
    match event {
        Event::Put(entry) => entry.value.len(),
        Event::Delete { key } => key.len(),
    }
}

/// The part of a revision under a prefix, if any; all of it is shared, not copied.
fn matching(batch: &WatchBatch, prefix: &[u8]) -> Option<WatchBatch> {
    let concerns = |event: &&Event| event.key().starts_with(prefix);
    let count = batch.events.iter().filter(concerns).count();
    if count == batch.events.len() {
        return Some(batch.clone());
    }
    let events = || batch.events.iter().filter(concerns).cloned().collect();
    (count > 0).then(|| WatchBatch {
        revision: batch.revision,
        events: events(),
    })
}

#[cfg(test)]
mod tests;
