//! What a watcher is told.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use guildhall_core::document::{Document, DocumentKey, Index};

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
    before_json: OnceLock<Bytes>,
    after_json: OnceLock<Bytes>,
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
            before_json: OnceLock::new(),
            after_json: OnceLock::new(),
        }
    }
}

/// What an event says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EventKind {
    /// The document is new to the scope, or part of the state being sent.
    Added,
    /// It changed.
    Modified,
    /// It is gone, or left the scope.
    Deleted,
    /// Everything up to the event's index has been told.
    Bookmark,
    /// Forget everything: what follows as `added` up to the next bookmark is all there is.
    Resync,
}

impl EventKind {
    /// As in an event stream's `event:` line.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Modified => "modified",
            Self::Deleted => "deleted",
            Self::Bookmark => "bookmark",
            Self::Resync => "resync",
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

    /// The document as JSON; for a change, written once for all who are told. Empty where there
    /// is no document.
    pub fn data(&self) -> Result<Bytes, serde_json::Error> {
        let Some(document) = self.document() else {
            return Ok(Bytes::new());
        };
        let cell = match &self.payload {
            Payload::Change(change) if self.kind == EventKind::Deleted => &change.before_json,
            Payload::Change(change) => &change.after_json,
            _ => return serde_json::to_vec(document).map(Bytes::from),
        };
        if let Some(json) = cell.get() {
            return Ok(json.clone());
        }
        let json = Bytes::from(serde_json::to_vec(document)?);
        Ok(cell.get_or_init(|| json).clone())
    }
}
