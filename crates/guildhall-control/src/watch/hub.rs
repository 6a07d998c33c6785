//! The waiters, keyed so that a change wakes only those whose scope holds it.
//!
//! A watcher lies in one bucket: that of its document, its service, its namespace, or the one of
//! those who watch all namespaces. A change looks into the four buckets it can concern; whoever
//! lies elsewhere costs it nothing.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use guildhall_core::document::{DocumentKey, Index, Namespace};

use super::subscriber::Subscriber;
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
    buckets: HashMap<Bucket, HashMap<u64, Arc<Subscriber>>>,
    count: usize,
    next_id: u64,
    /// The last changes, oldest first; complete for every revision above `history_from`.
    history: VecDeque<Arc<DocumentChange>>,
    history_from: u64,
    closed: bool,
}

/// Where a watcher lies.
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
    pub(super) fn of(scope: &Scope) -> Self {
        let Some(namespace) = scope.namespace.clone() else {
            return Self::All;
        };
        let mut kinds = scope.kinds.iter();
        match (&scope.name, &scope.service, kinds.next(), kinds.next()) {
            (Some(name), _, Some(kind), None) => {
                Self::Document(DocumentKey::new(kind, namespace, name.clone()))
            }
            (_, Some(service), ..) => Self::Service(namespace, service.clone()),
            _ => Self::Namespace(namespace),
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
            next_id: 0,
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
        let mut offered = Vec::new();
        for change in changes {
            for bucket in inner.concerned(change) {
                offered.extend(
                    bucket
                        .values()
                        .filter(|subscriber| subscriber.offer(change))
                        .cloned(),
                );
            }
            inner.history.push_back(Arc::clone(change));
        }
        inner.shorten(self.options.history);
        if changes.len() > 1 {
            offered.sort_unstable_by_key(Arc::as_ptr);
            offered.dedup_by_key(|subscriber| Arc::as_ptr(subscriber));
        }
        wakes
            .0
            .extend(offered.iter().filter_map(|subscriber| subscriber.seal()));
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
        wakes
            .0
            .extend(inner.everyone().filter_map(|subscriber| subscriber.lose()));
        drop(inner);
    }

    /// Ends every watch; later ones end at once.
    pub(crate) fn close(&self) {
        let mut wakes = Wakes::default();
        let mut inner = self.lock();
        inner.closed = true;
        wakes
            .0
            .extend(inner.everyone().filter_map(|subscriber| subscriber.close()));
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
    ) -> impl Iterator<Item = &HashMap<u64, Arc<Subscriber>>> {
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

    fn everyone(&self) -> impl Iterator<Item = &Arc<Subscriber>> {
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

    /// Takes a watcher in and says under which id; `None` if there are `most` already.
    pub(super) fn add(&mut self, subscriber: &Arc<Subscriber>, most: usize) -> Option<u64> {
        if self.count >= most {
            return None;
        }
        let id = self.next_id;
        self.next_id += 1;
        self.count += 1;
        if self.closed {
            subscriber.close();
        }
        self.buckets
            .entry(Bucket::of(&subscriber.scope))
            .or_default()
            .insert(id, Arc::clone(subscriber));
        Some(id)
    }

    pub(super) fn remove(&mut self, id: u64, scope: &Scope) {
        let bucket = Bucket::of(scope);
        if let Some(subscribers) = self.buckets.get_mut(&bucket) {
            self.count -= usize::from(subscribers.remove(&id).is_some());
            if subscribers.is_empty() {
                self.buckets.remove(&bucket);
            }
        }
    }
}
