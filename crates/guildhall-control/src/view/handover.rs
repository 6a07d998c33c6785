//! What this node has just written, kept until the view folds it in: the view need not decode again what the writer
//! holds decoded already.
//!
//! It only saves work. A document is taken where the store's bytes are the very ones it was encoded to, so a write that
//! lost its race, an entry that never came back and another node's write cost nothing but the decoding.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use guildhall_core::document::Document;
use guildhall_store::Entry;

/// How many documents wait at most; those beyond are decoded.
const WAITING: usize = 4_096;

/// Documents by store key, each with the bytes it was encoded to.
#[derive(Debug, Default)]
pub(crate) struct Handover(Mutex<HashMap<Bytes, Waiting>>);

#[derive(Debug)]
struct Waiting {
    stored: Bytes,
    document: Document,
}

impl Handover {
    /// Hands over a document that is about to be committed as `stored`.
    pub(crate) fn offer(&self, key: Bytes, stored: Bytes, document: Document) {
        let mut waiting = self.lock();
        if waiting.len() < WAITING {
            waiting.insert(key, Waiting { stored, document });
        }
    }

    /// Takes back what was not committed.
    pub(crate) fn withdraw(&self, key: &Bytes, stored: &Bytes) {
        self.take_if(key, stored);
    }

    /// The document that was encoded to the entry's bytes, with the entry's revision.
    pub(super) fn take(&self, entry: &Entry) -> Option<Document> {
        let mut document = self.take_if(&entry.key, &entry.value)?;
        document.metadata_mut().revision = entry.modified;
        debug_assert_eq!(
            Document::from_stored(document.kind(), entry.modified, &entry.value).ok(),
            Some(document.clone()),
            "a document reads back as it was written"
        );
        Some(document)
    }

    /// Forgets everything: the view was read anew.
    pub(super) fn clear(&self) {
        self.lock().clear();
    }

    fn take_if(&self, key: &Bytes, stored: &Bytes) -> Option<Document> {
        let mut waiting = self.lock();
        if waiting.get(key)?.stored != *stored {
            return None;
        }
        Some(waiting.remove(key)?.document)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Bytes, Waiting>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use guildhall_core::document::{Kind, Metadata, Namespace, Object};
    use guildhall_core::registry::Service;

    use super::*;

    fn document(name: &str) -> (Document, Bytes) {
        let metadata = Metadata::named(Namespace::default(), name);
        let document: Document = Object::new(metadata, Service::default()).into();
        let stored = document.to_stored().unwrap();
        (document, stored.into())
    }

    fn entry(key: &'static str, value: &Bytes) -> Entry {
        Entry {
            key: key.into(),
            value: value.clone(),
            created: 7,
            modified: 7,
            version: 1,
            lease: None,
            blobs: Box::default(),
        }
    }

    #[test]
    fn what_was_committed_is_taken_once_with_its_revision() {
        let handover = Handover::default();
        let (document, stored) = document("a");
        handover.offer("k".into(), stored.clone(), document);
        let taken = handover.take(&entry("k", &stored)).unwrap();
        assert_eq!(
            (taken.kind(), taken.metadata().revision),
            (Kind::Service, 7)
        );
        assert_eq!(handover.take(&entry("k", &stored)), None);
    }

    #[test]
    fn another_writers_bytes_are_not_mistaken_for_it() {
        let handover = Handover::default();
        let ((mine, stored), (_, others)) = (document("a"), document("b"));
        handover.offer("k".into(), stored.clone(), mine);
        assert_eq!(handover.take(&entry("k", &others)), None);
        handover.withdraw(&"k".into(), &others);
        assert!(handover.take(&entry("k", &stored)).is_some());
    }

    #[test]
    fn what_was_not_committed_or_never_comes_back_is_forgotten() {
        let handover = Handover::default();
        let (document, stored) = document("a");
        handover.offer("k".into(), stored.clone(), document.clone());
        handover.withdraw(&"k".into(), &stored);
        assert_eq!(handover.take(&entry("k", &stored)), None);
        for number in 0..WAITING + 10 {
            handover.offer(number.to_string().into(), stored.clone(), document.clone());
        }
        assert_eq!(handover.lock().len(), WAITING);
        handover.clear();
        assert_eq!(handover.lock().len(), 0);
    }
}
