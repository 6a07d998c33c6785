//! The state: current entries, leases and references to blobs. Pure, and persistent, so that a clone is a snapshot.
//!
//! Writing is two steps. [`Tables::decide`] turns a transaction into a [`Change`] or a refusal without changing
//! anything; [`Tables::apply`] makes a change, whether it was decided just now or is replayed from the log.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use guildhall_core::document::Index;
use imbl::{OrdMap, OrdSet};

use super::{entries::Entries, record::Change};
use crate::{BlobHash, Condition, Entry, Event, LeaseId, Op, Transaction, WatchBatch};

/// Keys that one transaction of a lease's end deletes at most; the rest goes with further ones. It bounds a record.
const LEASE_END_KEYS: usize = 10_000;
/// The same bound in bytes of keys.
const LEASE_END_BYTES: usize = 4 << 20;

/// The state after one revision. Cloning shares everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tables {
    /// Incarnation and last revision.
    pub(crate) index: Index,
    /// Revisions up to this one were given up by request.
    pub(crate) compacted: u64,
    /// The last lease granted.
    pub(crate) last_lease: u64,
    /// Entries by key.
    pub(crate) entries: Entries,
    /// Leases that have not ended.
    pub(crate) leases: OrdMap<LeaseId, Lease>,
    /// How many entries name each blob.
    pub(crate) blobs: OrdMap<BlobHash, u64>,
}

/// A lease and the keys that vanish with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lease {
    pub(crate) ttl: Duration,
    pub(crate) keys: OrdSet<Bytes>,
}

/// Why a transaction is refused.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Refusal {
    /// This compare does not hold.
    Conflict { at: usize },
    /// There is no such lease.
    Lease(LeaseId),
    /// There is no such blob.
    Blob(BlobHash),
}

/// A replayed change does not continue the state: the log is not this state's.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("revision {found} follows {last}; this log does not continue its checkpoint")]
pub(crate) struct OutOfOrder {
    found: u64,
    last: u64,
}

impl Tables {
    /// Nothing, before revision 1.
    pub(crate) fn new(incarnation: u64) -> Self {
        Self {
            index: Index {
                incarnation,
                revision: 0,
            },
            compacted: 0,
            last_lease: 0,
            entries: Entries::default(),
            leases: OrdMap::new(),
            blobs: OrdMap::new(),
        }
    }

    /// What a valid transaction would do: `None` when it would change nothing. `has_blob` tells whether a blob's bytes
    /// are durable.
    pub(crate) fn decide(
        &self,
        transaction: Transaction,
        has_blob: impl Fn(&BlobHash) -> bool,
    ) -> Result<Option<Change>, Refusal> {
        for (at, compare) in transaction.compare.iter().enumerate() {
            let entry = self.entries.get(&compare.key).map(|entry| &**entry);
            if !holds(&compare.condition, entry) {
                return Err(Refusal::Conflict { at });
            }
        }
        let revision = self.index.revision + 1;
        let mut events = Vec::with_capacity(transaction.then.len());
        for op in transaction.then {
            match op {
                Op::Put {
                    key,
                    value,
                    lease,
                    blobs,
                } => {
                    if let Some(lease) = lease.filter(|lease| !self.leases.contains_key(lease)) {
                        return Err(Refusal::Lease(lease));
                    }
                    if let Some(blob) = blobs.iter().find(|blob| !has_blob(blob)) {
                        return Err(Refusal::Blob(*blob));
                    }
                    let (created, version) = match self.entries.get(&key) {
                        Some(old) => (old.created, old.version + 1),
                        None => (revision, 1),
                    };
                    let blobs = blobs.into_boxed_slice();
                    let modified = revision;
                    let entry = Entry {
                        key,
                        value,
                        created,
                        modified,
                        version,
                        lease,
                        blobs,
                    };
                    events.push(Event::Put(Arc::new(entry)));
                }
                Op::Delete { key } => {
                    if self.entries.contains(&key) {
                        events.push(Event::Delete { key });
                    }
                }
            }
        }
        // One allocation less for the usual transaction of one change.
        let events: Arc<[Event]> = match <[Event; 1]>::try_from(events) {
            Ok(event) => Arc::new(event),
            Err(events) if events.is_empty() => return Ok(None),
            Err(events) => events.into(),
        };
        Ok(Some(Change::Commit(WatchBatch { revision, events })))
    }

    /// The next change on the way to a lease's end, to be applied and asked for again until it is
    /// [`Change::LeaseEnd`]; `None` when there is no such lease.
    pub(crate) fn decide_end(&self, lease: LeaseId) -> Option<Change> {
        let keys = &self.leases.get(&lease)?.keys;
        let mut bytes = 0;
        let within = |key: &&Bytes| {
            bytes += key.len();
            bytes <= LEASE_END_BYTES
        };
        let doomed = keys.iter().take(LEASE_END_KEYS).take_while(within);
        let events: Arc<[Event]> = doomed
            .map(|key| Event::Delete { key: key.clone() })
            .collect();
        let last = events.len() == keys.len();
        let batch = WatchBatch {
            revision: self.index.revision + 1,
            events,
        };
        Some(match (last, keys.is_empty()) {
            (true, empty) => Change::LeaseEnd {
                lease,
                batch: (!empty).then_some(batch),
            },
            (false, _) => Change::Commit(batch),
        })
    }

    /// Makes a change. Blobs that nothing names any more are added to `freed`.
    pub(crate) fn apply(
        &mut self,
        change: &Change,
        freed: &mut Vec<BlobHash>,
    ) -> Result<(), OutOfOrder> {
        if let Some(batch) = change.batch() {
            let last = self.index.revision;
            if batch.revision != last + 1 {
                return Err(OutOfOrder {
                    found: batch.revision,
                    last,
                });
            }
            self.index.revision = batch.revision;
            for event in &*batch.events {
                match event {
                    Event::Put(entry) => self.put(entry, freed),
                    Event::Delete { key } => self.delete(key, freed),
                }
            }
        }
        match change {
            Change::Commit(_) | Change::Probe => {}
            Change::Grant { lease, ttl } => {
                self.last_lease = self.last_lease.max(lease.get());
                self.leases.insert(
                    *lease,
                    Lease {
                        ttl: *ttl,
                        keys: OrdSet::new(),
                    },
                );
            }
            Change::LeaseEnd { lease, .. } => {
                self.leases.remove(lease);
            }
            Change::Compact { revision } => self.compacted = self.compacted.max(*revision),
        }
        Ok(())
    }

    /// Sets an entry as it is, with all that hangs on it.
    pub(crate) fn put(&mut self, entry: &Arc<Entry>, freed: &mut Vec<BlobHash>) {
        let old = self.entries.insert(Arc::clone(entry));
        for blob in &entry.blobs {
            *self.blobs.entry(*blob).or_insert(0) += 1;
        }
        let lease_before = old.as_ref().and_then(|old| old.lease);
        if lease_before != entry.lease {
            self.detach(lease_before, &entry.key);
            if let Some(lease) = entry.lease.and_then(|lease| self.leases.get_mut(&lease)) {
                lease.keys.insert(entry.key.clone());
            }
        }
        if let Some(old) = old {
            self.release(&old, freed);
        }
    }

    fn delete(&mut self, key: &Bytes, freed: &mut Vec<BlobHash>) {
        if let Some(old) = self.entries.remove(key) {
            self.detach(old.lease, key);
            self.release(&old, freed);
        }
    }

    fn detach(&mut self, lease: Option<LeaseId>, key: &Bytes) {
        if let Some(lease) = lease.and_then(|lease| self.leases.get_mut(&lease)) {
            lease.keys.remove(&key[..]);
        }
    }

    fn release(&mut self, entry: &Entry, freed: &mut Vec<BlobHash>) {
        for blob in &entry.blobs {
            if let Some(count) = self.blobs.get_mut(blob) {
                *count -= 1;
                if *count == 0 {
                    self.blobs.remove(blob);
                    freed.push(*blob);
                }
            }
        }
    }
}

fn holds(condition: &Condition, entry: Option<&Entry>) -> bool {
    let Some(entry) = entry else {
        return *condition == Condition::Absent;
    };
    match condition {
        Condition::Absent => false,
        Condition::Present => true,
        Condition::Created(revision) => entry.created == *revision,
        Condition::Modified(revision) => entry.modified == *revision,
        Condition::Version(version) => entry.version == *version,
        Condition::Value(value) => entry.value == *value,
        Condition::Lease(lease) => entry.lease == *lease,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Compare;

    /// Tables with these transactions done, none of which may be refused or empty.
    fn after(transactions: impl IntoIterator<Item = Transaction>) -> Tables {
        let mut tables = Tables::new(1);
        let grant = Change::Grant {
            lease: lease(),
            ttl: Duration::from_secs(1),
        };
        tables.apply(&grant, &mut Vec::new()).unwrap();
        for transaction in transactions {
            let change = tables.decide(transaction, |_| true).unwrap().unwrap();
            tables.apply(&change, &mut Vec::new()).unwrap();
        }
        tables
    }

    fn lease() -> LeaseId {
        LeaseId::new(1).unwrap()
    }

    fn put(key: &'static str, value: &'static str) -> Transaction {
        Transaction::new().then(Op::put(key, value))
    }

    #[test]
    fn each_condition_against_an_entry_and_against_none() {
        // created at 1, modified at 2, version 2
        let tables = after([put("k", "a"), put("k", "b")]);
        let check = |condition: Condition, there: bool, absent: bool| {
            for (key, expected) in [("k", there), ("none", absent)] {
                let transaction = Transaction::new().when(Compare::new(key, condition.clone()));
                let expected = if expected {
                    Ok(None)
                } else {
                    Err(Refusal::Conflict { at: 0 })
                };
                assert_eq!(
                    tables.decide(transaction, |_| true),
                    expected,
                    "{condition:?} on {key}"
                );
            }
        };
        check(Condition::Absent, false, true);
        check(Condition::Present, true, false);
        check(Condition::Created(1), true, false);
        check(Condition::Created(2), false, false);
        check(Condition::Modified(2), true, false);
        check(Condition::Modified(1), false, false);
        check(Condition::Version(2), true, false);
        check(Condition::Version(1), false, false);
        check(Condition::Value("b".into()), true, false);
        check(Condition::Value("a".into()), false, false);
        check(Condition::Lease(None), true, false);
        check(Condition::Lease(Some(lease())), false, false);
    }

    #[test]
    fn nothing_to_do_takes_no_revision() {
        let tables = after([]);
        let delete = Transaction::new().then(Op::delete("none"));
        assert_eq!(tables.decide(delete, |_| true), Ok(None));
        assert_eq!(tables.decide(Transaction::new(), |_| true), Ok(None));
    }

    #[test]
    fn a_key_belongs_to_the_lease_of_its_last_put() {
        let leased = || Transaction::new().then(Op::put_leased("k", "", lease()));
        let keys = |tables: &Tables| tables.leases[&lease()].keys.len();
        assert_eq!(keys(&after([leased()])), 1);
        assert_eq!(keys(&after([leased(), put("k", "")])), 0);
        assert_eq!(
            keys(&after([leased(), Transaction::new().then(Op::delete("k"))])),
            0
        );
        assert_eq!(keys(&after([put("k", ""), leased(), leased()])), 1);
    }

    #[test]
    fn the_end_of_a_large_lease_takes_several_transactions() {
        let mut tables = after([]);
        let keys = LEASE_END_KEYS * 2 + 5;
        for key in 0..keys {
            let op = Op::put_leased(format!("{key:08}"), "", lease());
            let change = tables
                .decide(Transaction::new().then(op), |_| true)
                .unwrap()
                .unwrap();
            tables.apply(&change, &mut Vec::new()).unwrap();
        }
        let mut sizes = Vec::new();
        while let Some(change) = tables.decide_end(lease()) {
            sizes.push(change.batch().map_or(0, |batch| batch.events.len()));
            tables.apply(&change, &mut Vec::new()).unwrap();
        }
        assert_eq!(sizes, [LEASE_END_KEYS, LEASE_END_KEYS, 5]);
        assert!(tables.entries.len() == 0 && tables.leases.is_empty());
    }

    #[test]
    fn a_blob_is_freed_with_the_last_entry_that_names_it() {
        let blob = BlobHash::of(b"x");
        let named = |key: &'static str| {
            let (key, value) = (key.into(), Bytes::new());
            Transaction::new().then(Op::Put {
                key,
                value,
                lease: None,
                blobs: vec![blob],
            })
        };
        let mut tables = after([named("a"), named("b"), named("a")]);
        assert_eq!(tables.blobs[&blob], 2);
        let mut freed = Vec::new();
        for (key, expected) in [("a", vec![]), ("b", vec![blob])] {
            let delete = Transaction::new().then(Op::delete(key));
            let change = tables.decide(delete, |_| true).unwrap().unwrap();
            tables.apply(&change, &mut freed).unwrap();
            assert_eq!(freed, expected);
        }
        assert!(tables.blobs.is_empty());
        assert_eq!(
            tables.decide(named("a"), |_| false),
            Err(Refusal::Blob(blob))
        );
    }

    #[test]
    fn a_revision_out_of_order_is_an_error() {
        let mut tables = after([put("k", "")]);
        let change = Change::Commit(WatchBatch {
            revision: 3,
            events: Arc::default(),
        });
        assert_eq!(
            tables.apply(&change, &mut Vec::new()),
            Err(OutOfOrder { found: 3, last: 1 })
        );
    }
}
