//! How changes of documents reach whoever keeps a snapshot of them.

use std::{future::Future, pin::Pin};

use crate::document::{Document, DocumentKey, Index};

/// What changed about one document.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// It is new or different; status transitions come this way too.
    Put(Document),
    /// It is gone.
    Deleted(DocumentKey),
}

/// What an event of a watch says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EventKind {
    /// A document is new to the watch, or part of the state being told.
    Added,
    /// A document or its status is different.
    Modified,
    /// A document is gone, or left the filter.
    Deleted,
    /// Everything up to the event's index has been told.
    Bookmark,
    /// What was told no longer holds: what follows as `added` up to the next bookmark is all there
    /// is.
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

/// A step of a snapshot.
#[derive(Clone, Debug, PartialEq)]
pub enum Update {
    /// Everything there is: replaces whatever was known.
    Full {
        /// The position this state stands at; `None` if it was read from a disk cache while
        /// the control plane is away, so that health in it is no longer known.
        index: Option<Index>,
        /// All documents of the watched kinds.
        documents: Vec<Document>,
    },
    /// What one or more consecutive revisions changed.
    Delta {
        /// The last of those revisions.
        index: Index,
        /// In revision order.
        changes: Vec<Change>,
    },
}

/// Where a gateway or an SDK gets its documents from: in-process or remote, it cannot tell.
///
/// A source never fails: it keeps trying, and after a gap its next update is `Full`.
pub trait SnapshotSource: Send {
    /// Waits for the next update; the first is `Full`. `None` once the source was shut down.
    fn next(&mut self) -> Pin<Box<dyn Future<Output = Option<Update>> + Send + '_>>;
}
