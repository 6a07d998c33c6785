//! What a client must see in its reads: its own writes.

use std::sync::{Mutex, PoisonError};

use guildhall_core::document::Index;

/// The index of a client's last write, shared by its clones.
#[derive(Debug, Default)]
pub(super) struct Indexes(Mutex<Option<Index>>);

impl Indexes {
    /// The index that covers every write.
    pub(super) fn written(&self) -> Option<Index> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes what an answer says.
    ///
    /// A read of another incarnation means that the store was restored: what was written before
    /// that can no longer be waited for.
    pub(super) fn note(&self, index: Index, write: bool) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *known = match *known {
            Some(before) if before.incarnation == index.incarnation => {
                let newer = write && index.revision > before.revision;
                Some(if newer { index } else { before })
            }
            _ => write.then_some(index),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index(incarnation: u64, revision: u64) -> Index {
        Index {
            incarnation,
            revision,
        }
    }

    #[test]
    fn only_writes_raise_it_and_a_restore_forgets_it() {
        let indexes = Indexes::default();
        indexes.note(index(1, 5), false);
        assert_eq!(indexes.written(), None);
        indexes.note(index(1, 5), true);
        indexes.note(index(1, 3), true);
        indexes.note(index(1, 9), false);
        assert_eq!(indexes.written(), Some(index(1, 5)));
        indexes.note(index(2, 1), false);
        assert_eq!(indexes.written(), None);
        indexes.note(index(2, 4), true);
        indexes.note(index(3, 1), true);
        assert_eq!(indexes.written(), Some(index(3, 1)));
    }
}
