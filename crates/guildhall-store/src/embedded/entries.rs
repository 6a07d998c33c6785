//! The ordered map of entries: persistent, so that a clone costs nothing and shares everything.
//!
//! An entry carries its own key, so that the tree's slots are single pointers: against slots of key and pointer that
//! saves about 10 MB per 100,000 entries, and makes the nodes that each put copies a fifth as large.

use std::{borrow::Borrow, cmp::Ordering, ops::Bound, sync::Arc};

use imbl::OrdSet;

use crate::Entry;

/// Entries in the order of their keys.
#[derive(Clone, Debug, Default)]
pub(crate) struct Entries(OrdSet<ByKey>);

/// An entry that is compared by its key alone.
#[derive(Clone, Debug)]
struct ByKey(Arc<Entry>);

impl ByKey {
    fn key(&self) -> &[u8] {
        &self.0.key
    }
}

impl PartialEq for ByKey {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for ByKey {}

impl PartialOrd for ByKey {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for ByKey {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(other.key())
    }
}

impl Borrow<[u8]> for ByKey {
    fn borrow(&self) -> &[u8] {
        self.key()
    }
}

/// Not only the keys.
impl PartialEq for Entries {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Entries {}

impl Entries {
    /// The entry under a key.
    pub(crate) fn get(&self, key: &[u8]) -> Option<&Arc<Entry>> {
        self.0.get(key).map(|entry| &entry.0)
    }

    pub(crate) fn contains(&self, key: &[u8]) -> bool {
        self.0.contains(key)
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Sets an entry and returns the one it replaces.
    pub(crate) fn insert(&mut self, entry: Arc<Entry>) -> Option<Arc<Entry>> {
        self.0.insert(ByKey(entry)).map(|old| old.0)
    }

    pub(crate) fn remove(&mut self, key: &[u8]) -> Option<Arc<Entry>> {
        self.0.remove(key).map(|old| old.0)
    }

    /// Entries from a key on.
    pub(crate) fn range(&self, start: Bound<&[u8]>) -> impl Iterator<Item = &Arc<Entry>> {
        self.0
            .range::<_, [u8]>((start, Bound::Unbounded))
            .map(|entry| &entry.0)
    }

    /// All entries.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<Entry>> {
        self.0.iter().map(|entry| &entry.0)
    }
}
