//! The store as simply as it can be said, for the engine to be compared with.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use guildhall_core::document::Index;
use guildhall_store::{
    CommitError, Committed, Condition, Entry, Event, LeaseId, Op, Range, Transaction, WatchBatch,
    WatchItem, embedded::Offline,
};

/// The incarnation of the stores in tests.
pub(crate) const INCARNATION: u64 = 1;

/// Entries, leases, and every revision there ever was.
#[derive(Clone, Default, Debug)]
pub(crate) struct Model {
    pub(crate) entries: BTreeMap<Bytes, Entry>,
    pub(crate) leases: BTreeMap<LeaseId, Duration>,
    pub(crate) last_lease: u64,
    pub(crate) history: Vec<WatchBatch>,
}

impl Model {
    pub(crate) fn revision(&self) -> u64 {
        self.history.len() as u64
    }

    pub(crate) fn index(&self) -> Index {
        Index {
            incarnation: INCARNATION,
            revision: self.revision(),
        }
    }

    pub(crate) fn commit(&mut self, transaction: &Transaction) -> Result<Committed, CommitError> {
        let index = self.index();
        if let Some(at) = transaction
            .compare
            .iter()
            .position(|compare| !self.holds(&compare.key, &compare.condition))
        {
            return Err(CommitError::Conflict { at, index });
        }
        let revision = index.revision + 1;
        let mut events = Vec::new();
        for op in &transaction.then {
            match op {
                Op::Put {
                    key,
                    value,
                    lease,
                    blobs,
                } => {
                    if let Some(lease) = lease.filter(|lease| !self.leases.contains_key(lease)) {
                        return Err(CommitError::LeaseUnknown { lease });
                    }
                    let old = self.entries.get(key);
                    events.push(Event::Put(Arc::new(Entry {
                        key: key.clone(),
                        value: value.clone(),
                        created: old.map_or(revision, |old| old.created),
                        modified: revision,
                        version: old.map_or(0, |old| old.version) + 1,
                        lease: *lease,
                        blobs: blobs.clone().into(),
                    })));
                }
                Op::Delete { key } if self.entries.contains_key(key) => {
                    events.push(Event::Delete { key: key.clone() });
                }
                Op::Delete { .. } => {}
            }
        }
        let changed = !events.is_empty();
        self.push(events);
        Ok(Committed {
            index: self.index(),
            changed,
        })
    }

    fn holds(&self, key: &Bytes, condition: &Condition) -> bool {
        let entry = self.entries.get(key);
        match condition {
            Condition::Absent => entry.is_none(),
            Condition::Present => entry.is_some(),
            Condition::Created(at) => entry.is_some_and(|entry| entry.created == *at),
            Condition::Modified(at) => entry.is_some_and(|entry| entry.modified == *at),
            Condition::Version(version) => entry.is_some_and(|entry| entry.version == *version),
            Condition::Value(value) => entry.is_some_and(|entry| entry.value == *value),
            Condition::Lease(lease) => entry.is_some_and(|entry| entry.lease == *lease),
        }
    }

    fn push(&mut self, events: Vec<Event>) {
        if events.is_empty() {
            return;
        }
        for event in &events {
            match event {
                Event::Put(entry) => {
                    drop(self.entries.insert(entry.key.clone(), Entry::clone(entry)))
                }
                Event::Delete { key } => drop(self.entries.remove(key)),
            }
        }
        self.history.push(WatchBatch {
            revision: self.revision() + 1,
            events: events.into(),
        });
    }

    pub(crate) fn grant(&mut self, ttl: Duration) -> LeaseId {
        self.last_lease += 1;
        let lease = LeaseId::new(self.last_lease).unwrap();
        self.leases.insert(lease, ttl);
        lease
    }

    /// Whether there was such a lease.
    pub(crate) fn end_lease(&mut self, lease: LeaseId) -> bool {
        let known = self.leases.remove(&lease).is_some();
        let keys = self
            .entries
            .values()
            .filter(|entry| known && entry.lease == Some(lease));
        self.push(
            keys.map(|entry| Event::Delete {
                key: entry.key.clone(),
            })
            .collect(),
        );
        known
    }

    /// Compares everything that can be read.
    pub(crate) fn compare(&self, store: &Offline, now: Instant) -> Result<(), String> {
        let status = store.status();
        let page = store
            .range(&Range::prefix(""), now)
            .map_err(|error| error.to_string())?;
        if (status.index, page.revision) != (self.index(), self.revision()) {
            return Err(format!(
                "at {} and {}, not at {}",
                status.index,
                page.revision,
                self.index()
            ));
        }
        if !page
            .entries
            .iter()
            .map(|entry| &**entry)
            .eq(self.entries.values())
        {
            return Err(format!(
                "entries at {}: {:?}, not {:?}",
                self.revision(),
                page.entries,
                self.entries
            ));
        }
        if (status.entries, status.leases) != (self.entries.len(), self.leases.len()) {
            return Err(format!(
                "{} entries, {} leases: {self:?}",
                status.entries, status.leases
            ));
        }
        Ok(())
    }

    /// Compares the history that can be watched, which begins after `status().compacted`.
    pub(crate) fn compare_history(&self, store: &Offline) -> Result<(), String> {
        let compacted = store.status().compacted;
        let mut watch = store
            .watch(b"", Some(compacted + 1))
            .map_err(|error| error.to_string())?;
        let expected = self
            .history
            .get(compacted as usize..)
            .ok_or("compacted beyond the last revision")?;
        for batch in expected {
            match next(&mut watch) {
                Some(Ok(WatchItem::Changes(found))) if same(&found, batch) => {}
                other => return Err(format!("{other:?} instead of {batch:?}")),
            }
        }
        match next(&mut watch) {
            Some(Ok(WatchItem::Bookmark(revision))) if revision == self.revision() => Ok(()),
            other => Err(format!("{other:?} after all revisions")),
        }
    }
}

/// Whether two batches are equal; the end of a lease deletes its keys in any order.
fn same(found: &WatchBatch, expected: &WatchBatch) -> bool {
    let sorted = |batch: &WatchBatch| {
        let mut events = batch.events.to_vec();
        events.sort_by(|one, other| one.key().cmp(other.key()));
        events
    };
    found.revision == expected.revision && sorted(found) == sorted(expected)
}

/// The next item of a watch, if there is one now.
pub(crate) fn next(
    watch: &mut guildhall_store::Watch,
) -> Option<Result<WatchItem, guildhall_store::WatchError>> {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match watch.poll_next(&mut context) {
        std::task::Poll::Ready(item) => Some(item),
        std::task::Poll::Pending => None,
    }
}
