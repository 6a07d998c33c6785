//! What a watcher is told.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use guildhall_core::document::{Document, DocumentKey, Index};
use guildhall_core::source::EventKind;

/// What one revision did to one document; shared by everyone who is told.
#[derive(Debug)]
pub(crate) struct DocumentChange {
    /// The store's revision.
    pub revision: u64,
    /// Which document.
    pub key: DocumentKey,
    /// As it was; `None` if it was not there.
    pub before: Option<Document>,
    /// As it is; `None` if it is gone.
    pub after: Option<Document>,
    renderings: Mutex<Vec<Rendering>>,
}

/// The change as some watchers are told it, on the wire.
#[derive(Debug)]
struct Rendering {
    kind: EventKind,
    index: Option<Index>,
    bytes: Bytes,
}

impl DocumentChange {
    pub(crate) fn new(
        revision: u64,
        key: DocumentKey,
        before: Option<Document>,
        after: Option<Document>,
    ) -> Self {
        Self {
            revision,
            key,
            before,
            after,
            renderings: Mutex::new(Vec::new()),
        }
    }
}

/// One event of a [`Subscription`](super::Subscription).
#[derive(Clone, Debug)]
pub struct Event {
    kind: EventKind,
    index: Option<Index>,
    payload: Payload,
}

#[derive(Clone, Debug)]
enum Payload {
    None,
    State(Document),
    Change(Arc<DocumentChange>),
}

impl Event {
    pub(crate) fn resync() -> Self {
        Self {
            kind: EventKind::Resync,
            index: None,
            payload: Payload::None,
        }
    }

    pub(crate) fn bookmark(index: Index) -> Self {
        Self {
            kind: EventKind::Bookmark,
            index: Some(index),
            payload: Payload::None,
        }
    }

    pub(crate) fn state(document: Document) -> Self {
        Self {
            kind: EventKind::Added,
            index: None,
            payload: Payload::State(document),
        }
    }

    pub(crate) fn change(
        kind: EventKind,
        index: Option<Index>,
        change: Arc<DocumentChange>,
    ) -> Self {
        Self {
            kind,
            index,
            payload: Payload::Change(change),
        }
    }

    /// What it says.
    pub fn kind(&self) -> EventKind {
        self.kind
    }

    /// Where a watcher that has seen this event resumes: set on a revision's last event and on
    /// bookmarks.
    pub fn index(&self) -> Option<Index> {
        self.index
    }

    /// The document: as it is, or for `deleted` as it last was; none for bookmark and resync.
    pub fn document(&self) -> Option<&Document> {
        match &self.payload {
            Payload::None => None,
            Payload::State(document) => Some(document),
            Payload::Change(change) if self.kind == EventKind::Deleted => change.before.as_ref(),
            Payload::Change(change) => change.after.as_ref(),
        }
    }

    /// What `render` makes of the event: for a change made once, for all watchers who are told the same. `render` must
    /// need nothing but the event.
    ///
    /// # Errors
    /// Those of `render`.
    pub fn rendered<E>(&self, render: impl FnOnce() -> Result<Bytes, E>) -> Result<Bytes, E> {
        let kind = self.kind;
        let Payload::Change(change) = &self.payload else {
            return render();
        };
        // Held while rendering: of 10,000 watchers who come at once, one does the work. There are
        // at most as many renderings as kinds times two.
        let mut renderings = change
            .renderings
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let known = renderings
            .iter()
            .find(|rendering| rendering.kind == kind && rendering.index == self.index);
        if let Some(rendering) = known {
            return Ok(rendering.bytes.clone());
        }
        let bytes = render()?;
        renderings.push(Rendering {
            kind,
            index: self.index,
            bytes: bytes.clone(),
        });
        Ok(bytes)
    }
}
