//! Which revision last touched what: the indexes of long polls.
//!
//! The catalog knows it of services; here is the rest: kinds, namespaces, single documents. What
//! was deleted before the state was read is not known, so nothing stands below the revision at
//! which it was read (`floor`): an index must never go backwards, also not over a restart.

use guildhall_core::document::{DocumentKey, Kind, Namespace};
use imbl::OrdMap;

/// How many pairs of kind and namespace keep a revision of their own.
const KEPT: usize = 16_384;

#[derive(Clone, Debug, Default)]
pub(super) struct Touches {
    floor: u64,
    kinds: [u64; Kind::ALL.len()],
    namespaces: OrdMap<(Kind, Namespace), u64>,
    /// Documents whose status changed after their spec did.
    statuses: OrdMap<DocumentKey, StatusMark>,
}

/// The status of one document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct StatusMark {
    /// The revision that last changed it.
    pub(super) revision: u64,
    /// Whether the store keeps it; else it follows from the documents.
    pub(super) stored: bool,
}

impl Touches {
    pub(super) fn at(floor: u64) -> Self {
        Self {
            floor,
            ..Self::default()
        }
    }

    /// Notes that `revision` touched a document.
    pub(super) fn touch(&mut self, key: &DocumentKey, revision: u64) {
        self.kinds[key.kind as usize] = revision;
        let pair = (key.kind, key.namespace.clone());
        if self.namespaces.len() >= KEPT && !self.namespaces.contains_key(&pair) {
            // Every pair forgotten stands at the floor from here on, which none of them exceeds.
            self.namespaces = OrdMap::new();
            self.floor = revision;
        }
        self.namespaces.insert(pair, revision);
    }

    /// Notes what is known of a document's status.
    pub(super) fn mark(&mut self, key: &DocumentKey, mark: StatusMark) {
        self.statuses.insert(key.clone(), mark);
    }

    /// Forgets a document that is gone.
    pub(super) fn forget(&mut self, key: &DocumentKey) {
        self.statuses.remove(key);
    }

    pub(super) fn status(&self, key: &DocumentKey) -> Option<StatusMark> {
        self.statuses.get(key).copied()
    }

    pub(super) fn kind(&self, kind: Kind) -> u64 {
        self.kinds[kind as usize].max(self.floor)
    }

    pub(super) fn namespace(&self, kind: Kind, namespace: &Namespace) -> u64 {
        let own = self.namespaces.get(&(kind, namespace.clone())).copied();
        own.unwrap_or_default().max(self.floor)
    }

    /// The floor and the status of one document that is there.
    pub(super) fn document(&self, key: &DocumentKey) -> u64 {
        self.status(key)
            .map_or(0, |mark| mark.revision)
            .max(self.floor)
    }
}
