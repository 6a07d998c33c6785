//! What is written of one instance: conditions and operations that go into one transaction,
//! perhaps with those of others.

use guildhall_core::document::{Document, DocumentKey, KeyPart};
use guildhall_core::registry::{InstanceStatus, TimelineEntry, timeline};
use guildhall_store::{
    Compare, MAX_OPERATIONS, MAX_TRANSACTION_BYTES, Op, Range, Store, Transaction,
};

use super::transitions::Waiting;
use crate::Error;
use crate::documents;
use crate::view::State;

/// One instance's part of a transaction.
#[derive(Debug, Default)]
pub(super) struct Unit {
    compare: Vec<Compare>,
    then: Vec<Op>,
    /// Whether it removes the instance.
    pub(super) removes: bool,
}

/// The instance's status in `state`; `None` if the instance is not there.
pub(super) fn status_in(state: &State, key: &DocumentKey) -> Option<InstanceStatus> {
    match state.get(key) {
        Some(Document::Instance(instance)) => Some(instance.status.clone().unwrap_or_default()),
        _ => None,
    }
}

impl Unit {
    /// Writes `status` and adds `entries` to the timeline, if the instance and its status are as
    /// they are in `state`. The entries' numbers are read from the store: whoever writes one
    /// writes the status with it, so that the compare finds out if they are no longer right.
    pub(super) async fn transition(
        store: &dyn Store,
        state: &State,
        key: &DocumentKey,
        status: &InstanceStatus,
        mut entries: Vec<TimelineEntry>,
    ) -> Result<Self, Error> {
        let Some((service, id)) = key.name.split_once('/') else {
            return Err(Error::NotFound(key.clone()));
        };
        let prefix = timeline::prefix(&key.namespace, service, id);
        let page = store.range(Range::prefix(prefix)).await?;
        let known = page
            .entries
            .iter()
            .map(|entry| serde_json::from_slice(&entry.value));
        let first = timeline::next_number(&known.collect::<Result<Vec<_>, _>>()?);
        let status_key = key.store_key(KeyPart::Status);
        let mut unit = Self {
            compare: vec![
                Compare::present(key.store_key(KeyPart::Spec)),
                match state.stored_status(key) {
                    Some(revision) => Compare::modified(status_key.clone(), revision),
                    None => Compare::absent(status_key.clone()),
                },
            ],
            then: vec![Op::put(status_key, serde_json::to_vec(status)?)],
            removes: false,
        };
        for (entry, number) in entries.iter_mut().zip(first..) {
            entry.number = number;
            let slot = timeline::key(&key.namespace, service, id, number);
            unit.then.push(Op::put(slot, serde_json::to_vec(entry)?));
        }
        Ok(unit)
    }

    /// Removes the instance with all that belongs to it, if it is as it is in `state`.
    pub(super) async fn removal(
        store: &dyn Store,
        state: &State,
        key: &DocumentKey,
    ) -> Result<Self, Error> {
        let revision = state
            .get(key)
            .map_or(0, |document| document.metadata().revision);
        let mut then = documents::removal(key);
        then.extend(documents::timeline_of(store, key).await?);
        let compare = vec![Compare::modified(key.store_key(KeyPart::Spec), revision)];
        Ok(Self {
            compare,
            then,
            removes: true,
        })
    }

    /// What waits of one instance, as a unit; `None` if nothing is left to write.
    pub(super) async fn of(
        store: &dyn Store,
        state: &State,
        key: &DocumentKey,
        waiting: &Waiting,
    ) -> Result<Option<Self>, Error> {
        let Some(mut status) = status_in(state, key) else {
            return Ok(None);
        };
        let mut entries = Vec::with_capacity(waiting.transitions.len());
        entries.extend(
            waiting
                .transitions
                .iter()
                .filter_map(|transition| status.record(transition)),
        );
        let still_critical = |check: &str| {
            let state = status
                .checks
                .iter()
                .find(|status| status.name == check)
                .map(|status| status.state);
            state == Some(guildhall_core::registry::CheckState::Critical)
        };
        if waiting
            .overdue
            .as_ref()
            .is_some_and(|check| still_critical(check))
        {
            return Self::removal(store, state, key).await.map(Some);
        }
        if entries.is_empty() {
            return Ok(None);
        }
        Self::transition(store, state, key, &status, entries)
            .await
            .map(Some)
    }

    /// Adds the unit to `transaction`, or gives it back if it does not fit any more.
    pub(super) fn join(self, transaction: &mut Transaction) -> Option<Self> {
        let counts = transaction.then.len() + self.then.len() <= MAX_OPERATIONS
            && transaction.compare.len() + self.compare.len() <= MAX_OPERATIONS;
        let alone = Transaction {
            compare: self.compare,
            then: self.then,
            ..Transaction::default()
        };
        if counts && transaction.bytes() + alone.bytes() <= MAX_TRANSACTION_BYTES {
            transaction.compare.extend(alone.compare);
            transaction.then.extend(alone.then);
            return None;
        }
        Some(Self {
            compare: alone.compare,
            then: alone.then,
            removes: self.removes,
        })
    }
}
