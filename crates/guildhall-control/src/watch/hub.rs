//! The feeds, keyed so that a change wakes only those whose scope holds it.
//!
//! A feed lies in the bucket of each document that it names, or of its service, its namespace, or the one of those who
//! watch all namespaces. A change looks into the four buckets it can concern; whoever lies elsewhere costs it nothing.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use guildhall_core::document::{DocumentKey, Index, Namespace};
use smallvec::{SmallVec, smallvec};

use super::feed::{Feed, Interest, Seat};
use super::{DocumentChange, Scope, WatchOptions};

/// All watchers of one control plane.
#[derive(Debug)]
pub(crate) struct Hub {
    pub(super) options: WatchOptions,
    inner: Mutex<Inner>,
    wakeups: AtomicU64,
    resyncs: AtomicU64,
}

#[derive(Debug)]
pub(super) struct Inner {
    /// Every change up to here has been delivered.
    pub(super) delivered: Index,
    buckets: HashMap<Bucket, HashMap<Interest, Arc<Feed>>>,
    count: usize,
    /// The last changes, oldest first; complete for every revision above `history_from`.
    history: VecDeque<Arc<DocumentChange>>,
    history_from: u64,
    closed: bool,
}

/// Where a feed lies.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Bucket {
    All,
    Namespace(Namespace),
    Service(Namespace, Arc<str>),
    Document(DocumentKey),
}

/// What the hub has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HubStatistics {
    /// Subscriptions and long polls there are.
    pub watchers: usize,
    /// How often a watcher was woken.
    pub wakeups: u64,
    /// How often a subscriber was told to resynchronise.
    pub resyncs: u64,
    /// Past changes kept for those who resume.
    pub history: usize,
}

impl Bucket {
    /// The buckets in which a feed of this scope lies; one, unless it names several documents.
    pub(super) fn of(scope: &Scope) -> SmallVec<[Self; 1]> {
        let Some(namespace) = scope.namespace.clone() else {
            return smallvec![Self::All];
        };
        let mut kinds = scope.kinds.iter();
        match (&scope.names, &scope.service, kinds.next(), kinds.next()) {
            (Some(names), _, Some(kind), None) => names
                .iter()
                .map(|name| DocumentKey::new(kind, namespace.clone(), name.clone()))
                .map(Self::Document)
                .collect(),
            (_, Some(service), ..) => smallvec![Self::Service(namespace, service.clone())],
            _ => smallvec![Self::Namespace(namespace)],
        }
    }
}

/// Wakes everyone in it when dropped, after the locks are gone.
#[derive(Default)]
struct Wakes(Vec<Waker>);

impl Drop for Wakes {
    fn drop(&mut self) {
        self.0.drain(..).for_each(Waker::wake);
    }
}

impl Hub {
    pub(crate) fn new(options: WatchOptions) -> Self {
        let inner = Inner {
            delivered: Index::default(),
            buckets: HashMap::new(),
            count: 0,
            history: VecDeque::new(),
            history_from: u64::MAX,
            closed: false,
        };
        Self {
            options,
            inner: Mutex::new(inner),
            wakeups: AtomicU64::new(0),
            resyncs: AtomicU64::new(0),
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Delivers the changes of one or more consecutive revisions, which end at `index`. The state
    /// at `index` or later has been published before.
    pub(crate) fn deliver(&self, changes: &[Arc<DocumentChange>], index: Index) {
        let mut wakes = Wakes::default();
        let mut inner = self.lock();
        inner.delivered = index;
        if changes.is_empty() {
            return;
        }
        let mut offered: Vec<&Arc<Feed>> = Vec::new();
        for change in changes {
            let concerned = inner.concerned(change).flat_map(HashMap::values);
            offered.extend(concerned.filter(|feed| feed.offer(change)));
        }
        if changes.len() > 1 {
            offered.sort_unstable_by_key(|feed| Arc::as_ptr(feed));
            offered.dedup_by_key(|feed| Arc::as_ptr(feed));
        }
        for feed in offered {
            feed.seal(&mut wakes.0);
        }
        inner.history.extend(changes.iter().cloned());
        inner.shorten(self.options.history);
        self.wakeups
            .fetch_add(wakes.0.len() as u64, Ordering::Relaxed);
        drop(inner);
    }

    /// Tells everyone to start over from the state at `index`, which has been published before.
    pub(crate) fn resync(&self, index: Index) {
        let mut wakes = Wakes::default();
        let mut inner = self.lock();
        inner.delivered = index;
        inner.history.clear();
        inner.history_from = index.revision;
        inner.feeds().for_each(|feed| feed.resync(&mut wakes.0));
        drop(inner);
    }

    /// Ends every watch; later ones end at once.
    pub(crate) fn close(&self) {
        let mut wakes = Wakes::default();
        let mut inner = self.lock();
        inner.closed = true;
        inner.feeds().for_each(|feed| feed.close(&mut wakes.0));
        drop(inner);
    }

    pub(crate) fn statistics(&self) -> HubStatistics {
        let inner = self.lock();
        HubStatistics {
            watchers: inner.count,
            wakeups: self.wakeups.load(Ordering::Relaxed),
            resyncs: self.resyncs.load(Ordering::Relaxed),
            history: inner.history.len(),
        }
    }

    pub(super) fn count_resync(&self) {
        self.resyncs.fetch_add(1, Ordering::Relaxed);
    }
}

impl Inner {
    fn concerned(
        &self,
        change: &DocumentChange,
    ) -> impl Iterator<Item = &HashMap<Interest, Arc<Feed>>> {
        let key = &change.key;
        let service = key
            .service()
            .map(|service| Bucket::Service(key.namespace.clone(), service.into()));
        let buckets = [
            Some(Bucket::Document(key.clone())),
            service,
            Some(Bucket::Namespace(key.namespace.clone())),
            Some(Bucket::All),
        ];
        buckets
            .into_iter()
            .flatten()
            .filter_map(|bucket| self.buckets.get(&bucket))
    }

    fn feeds(&self) -> impl Iterator<Item = &Arc<Feed>> {
        self.buckets.values().flat_map(HashMap::values)
    }

    fn shorten(&mut self, most: usize) {
        while self.history.len() > most {
            if let Some(oldest) = self.history.pop_front() {
                self.history_from = oldest.revision;
            }
        }
    }

    /// The changes after `revision`; `None` if they are not all known any more.
    pub(super) fn since(
        &self,
        revision: u64,
    ) -> Option<impl Iterator<Item = &Arc<DocumentChange>>> {
        if revision < self.history_from {
            return None;
        }
        let first = self
            .history
            .partition_point(|change| change.revision <= revision);
        Some(self.history.range(first..))
    }

    /// Takes a watcher in that knows of every change up to `base`; `None` if there are `most` already.
    pub(super) fn enter(
        &mut self,
        interest: Interest,
        base: u64,
        most: usize,
    ) -> Option<(Arc<Feed>, Seat)> {
        if self.count >= most {
            return None;
        }
        self.count += 1;
        let buckets = Bucket::of(&interest.scope);
        let known = buckets
            .first()
            .and_then(|bucket| self.buckets.get(bucket)?.get(&interest));
        let feed = match known {
            Some(feed) => Arc::clone(feed),
            None => {
                let feed = Arc::new(Feed::new(interest.clone()));
                if self.closed {
                    feed.close(&mut Vec::new());
                }
                for bucket in buckets {
                    let feeds = self.buckets.entry(bucket).or_default();
                    feeds.insert(interest.clone(), Arc::clone(&feed));
                }
                feed
            }
        };
        let seat = feed.enter(base);
        Some((feed, seat))
    }

    /// A watcher goes; its feed too, if it was the last one.
    pub(super) fn leave(&mut self, feed: &Feed, seat: &Seat) {
        self.count -= 1;
        if !feed.leave(seat) {
            return;
        }
        for bucket in Bucket::of(&feed.interest.scope) {
            if let Some(feeds) = self.buckets.get_mut(&bucket) {
                feeds.remove(&feed.interest);
                if feeds.is_empty() {
                    self.buckets.remove(&bucket);
                }
            }
        }
    }
}
