//! Whether a full state is too empty to be believed at once. Pure.

use guildhall_core::{
    document::{Document, DocumentKey, Index, Kind},
    source::Change,
};
use imbl::OrdMap;

use super::Held;

/// Documents by key, with their instances counted; a clone shares all memory.
#[derive(Clone, Debug, Default)]
pub(super) struct Documents {
    map: OrdMap<DocumentKey, Document>,
    instances: usize,
}

impl Documents {
    pub(super) fn of(documents: &[Document]) -> Self {
        let mut all = Self::default();
        documents.iter().for_each(|document| all.put(document));
        all
    }

    pub(super) fn apply(&mut self, change: &Change) {
        match change {
            Change::Put(document) => self.put(document),
            Change::Deleted(key) => {
                if self.map.remove(key).is_some() {
                    self.instances -= usize::from(key.kind == Kind::Instance);
                }
            }
        }
    }

    fn put(&mut self, document: &Document) {
        let instance = document.kind() == Kind::Instance;
        if self.map.insert(document.key(), document.clone()).is_none() {
            self.instances += usize::from(instance);
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Document> {
        self.map.values()
    }

    pub(super) fn instances(&self) -> usize {
        self.instances
    }
}

/// What is known to have been.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Known {
    /// The index it stood at.
    pub(super) index: Option<Index>,
    /// How many instances there were.
    pub(super) instances: usize,
}

impl Known {
    /// Why a full state with so many instances at `index` is not believed at once: there were
    /// instances and now there is none, or the store's history is another one and under half of
    /// them came along.
    pub(super) fn doubts(self, index: Index, instances: usize) -> Option<Held> {
        let other_history = self
            .index
            .is_some_and(|known| known.incarnation != index.incarnation);
        let emptied = self.instances > 0 && instances == 0;
        let halved = other_history && instances * 2 < self.instances;
        (emptied || halved).then_some(Held {
            instances,
            known: self.instances,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn doubted(known: usize, incarnation: u64, instances: usize) -> bool {
        let known = Known {
            index: Some(Index {
                incarnation: 1,
                revision: 9,
            }),
            instances: known,
        };
        known
            .doubts(
                Index {
                    incarnation,
                    revision: 1,
                },
                instances,
            )
            .is_some()
    }

    #[test]
    fn doubt_needs_a_loss() {
        // known, incarnation, now → doubted
        let table = [
            (10, 1, 0, true),
            (10, 2, 0, true),
            (10, 2, 4, true),
            (10, 2, 5, false),
            (10, 1, 1, false),
            (1, 1, 0, true),
            (0, 2, 0, false),
        ];
        for (known, incarnation, now, expect) in table {
            assert_eq!(
                doubted(known, incarnation, now),
                expect,
                "{known} → {now} in {incarnation}"
            );
        }
        assert_eq!(
            Known::default().doubts(
                Index {
                    incarnation: 1,
                    revision: 1
                },
                0
            ),
            None
        );
    }
}
