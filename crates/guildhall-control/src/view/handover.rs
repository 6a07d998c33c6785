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

/// What one transaction hands over. Dropped before it is [kept](Offer::keep), it is taken back: the commit failed, or
/// nobody waits for it any more.
pub(crate) struct Offer<'a> {
    handover: &'a Handover,
    made: Vec<(Bytes, Bytes)>,
}

impl Offer<'_> {
    /// Adds a document that is to be committed as `stored`.
    pub(crate) fn add(&mut self, key: Bytes, stored: Bytes, document: Document) {
        let mut waiting = self.handover.lock();
        if waiting.len() < WAITING {
            self.made.push((key.clone(), stored.clone()));
            waiting.insert(key, Waiting { stored, document });
        }
    }

    /// The transaction was committed: the view will come for them.
    pub(crate) fn keep(mut self) {
        self.made.clear();
    }
}

impl Drop for Offer<'_> {
    fn drop(&mut self) {
        for (key, stored) in self.made.drain(..) {
            self.handover.take_if(&key, &stored);
        }
    }
}

impl Handover {
    /// Hands over the documents of one transaction, which is about to be committed.
    pub(crate) fn offer(&self) -> Offer<'_> {
        Offer {
            handover: self,
            made: Vec::new(),
        }
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

    fn keep(handover: &Handover, key: &'static str, stored: &Bytes, document: Document) {
        let mut offer = handover.offer();
        offer.add(key.into(), stored.clone(), document);
        offer.keep();
    }

    #[test]
    fn what_was_committed_is_taken_once_with_its_revision() {
        let handover = Handover::default();
        let (document, stored) = document("a");
        keep(&handover, "k", &stored, document);
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
        let ((mine, stored), (other, others)) = (document("a"), document("b"));
        keep(&handover, "k", &stored, mine.clone());
        assert_eq!(handover.take(&entry("k", &others)), None);
        assert!(handover.take(&entry("k", &stored)).is_some());
        // A later writer's offer replaces the earlier one's, which then withdraws only its own.
        let mut earlier = handover.offer();
        earlier.add("k".into(), stored, mine);
        keep(&handover, "k", &others, other);
        drop(earlier);
        assert!(handover.take(&entry("k", &others)).is_some());
    }

    #[test]
    fn what_was_not_committed_or_is_awaited_by_nobody_is_taken_back() {
        let handover = Handover::default();
        let (document, stored) = document("a");
        let mut offer = handover.offer();
        offer.add("k".into(), stored.clone(), document);
        drop(offer);
        assert_eq!(handover.take(&entry("k", &stored)), None);
        assert_eq!(handover.lock().len(), 0);
    }

    #[test]
    fn what_waits_is_bounded_and_forgotten_when_the_view_starts_over() {
        let handover = Handover::default();
        let (document, stored) = document("a");
        let mut offer = handover.offer();
        for number in 0..WAITING + 10 {
            offer.add(number.to_string().into(), stored.clone(), document.clone());
        }
        offer.keep();
        assert_eq!(handover.lock().len(), WAITING);
        handover.clear();
        assert_eq!(handover.lock().len(), 0);
    }
}
