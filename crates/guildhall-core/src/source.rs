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
