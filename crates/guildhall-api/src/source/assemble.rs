//! Events of a watch to updates of a snapshot. Pure.
//!
//! All state is gathered up to its bookmark, a revision's changes up to the event that completes
//! it: whoever reads the updates never sees half a transaction.

use std::collections::BTreeMap;

use guildhall_core::{
    document::{Document, DocumentKey},
    source::{Change, Update},
};

use crate::{client::WatchItem, wire::WatchEvent};

/// Gathers events.
#[derive(Debug)]
pub(super) enum Assembler {
    /// All state is being told.
    Loading(BTreeMap<DocumentKey, Document>),
    /// Changes are being told; those of the present revision so far.
    Live(Vec<Change>),
}

impl Assembler {
    pub(super) fn new() -> Self {
        Self::Loading(BTreeMap::new())
    }

    /// Takes the next event; the update that it completes, if it completes one.
    pub(super) fn take(&mut self, item: WatchItem) -> Option<Update> {
        let change = match item.event {
            WatchEvent::Added(document) | WatchEvent::Modified(document) => {
                Some(Change::Put(document))
            }
            WatchEvent::Deleted(deleted) => Some(Change::Deleted(deleted.document_key())),
            WatchEvent::Bookmark => None,
            WatchEvent::Resync(_) => {
                *self = Self::new();
                return None;
            }
        };
        match (self, change) {
            (Self::Loading(documents), Some(Change::Put(document))) => {
                documents.insert(document.key(), document);
                None
            }
            (Self::Loading(documents), Some(Change::Deleted(key))) => {
                documents.remove(&key);
                None
            }
            (this @ Self::Loading(_), None) => {
                let index = item.index?;
                let Self::Loading(documents) = std::mem::replace(this, Self::Live(Vec::new()))
                else {
                    return None;
                };
                Some(Update::Full {
                    index: Some(index),
                    documents: documents.into_values().collect(),
                })
            }
            (Self::Live(changes), change) => {
                changes.extend(change);
                match item.index {
                    Some(index) if !changes.is_empty() => Some(Update::Delta {
                        index,
                        changes: std::mem::take(changes),
                    }),
                    _ => None,
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use guildhall_core::{
        document::{Index, Metadata, Namespace, Object},
        registry::Service,
    };

    use super::*;
    use crate::wire::Resync;

    fn service(name: &str) -> Document {
        Object::new(
            Metadata::named(Namespace::default(), name),
            Service::default(),
        )
        .into()
    }

    fn feed(assembler: &mut Assembler, revision: u64, event: WatchEvent) -> Option<Update> {
        let index = (revision > 0).then_some(Index {
            incarnation: 1,
            revision,
        });
        assembler.take(WatchItem { index, event })
    }

    #[test]
    fn state_then_whole_revisions_then_anew() {
        let (a, b) = (service("a"), service("b"));
        let at = |revision| Index {
            incarnation: 1,
            revision,
        };
        let mut assembler = Assembler::new();
        assert_eq!(feed(&mut assembler, 0, WatchEvent::Added(b.clone())), None);
        assert_eq!(feed(&mut assembler, 0, WatchEvent::Added(a.clone())), None);
        let full = Update::Full {
            index: Some(at(5)),
            documents: vec![a.clone(), b.clone()],
        };
        assert_eq!(feed(&mut assembler, 5, WatchEvent::Bookmark), Some(full));
        assert_eq!(feed(&mut assembler, 6, WatchEvent::Bookmark), None);

        assert_eq!(
            feed(&mut assembler, 0, WatchEvent::Modified(a.clone())),
            None
        );
        let changes = vec![Change::Put(a.clone()), Change::Deleted(b.key())];
        let gone = WatchEvent::Deleted((&b).into());
        assert_eq!(
            feed(&mut assembler, 7, gone),
            Some(Update::Delta {
                index: at(7),
                changes
            })
        );

        assert_eq!(feed(&mut assembler, 0, WatchEvent::Modified(b)), None);
        assert_eq!(
            feed(&mut assembler, 0, WatchEvent::Resync(Resync::default())),
            None
        );
        assert_eq!(feed(&mut assembler, 0, WatchEvent::Added(a.clone())), None);
        let full = Update::Full {
            index: Some(at(9)),
            documents: vec![a],
        };
        assert_eq!(feed(&mut assembler, 9, WatchEvent::Bookmark), Some(full));
    }
}
