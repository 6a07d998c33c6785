//! Following changes: whole revisions, in order, without gaps, or an error that says to start over.

use std::{
    future::poll_fn,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;

use crate::{Entry, WatchError};

/// A change of one key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// It was put; `entry.version == 1` when it was created by that.
    Put(Arc<Entry>),
    /// It was deleted, or its lease ended.
    Delete {
        /// The key.
        key: Bytes,
    },
}

impl Event {
    /// The key that changed.
    pub fn key(&self) -> &Bytes {
        match self {
            Self::Put(entry) => &entry.key,
            Self::Delete { key } => key,
        }
    }
}

/// All changes that one revision made under the watched prefix; never a part of them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WatchBatch {
    /// The revision.
    pub revision: u64,
    /// Its changes, in the transaction's order; at least one.
    pub events: Arc<[Event]>,
}

/// What a watch yields.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum WatchItem {
    /// A revision that changed something under the prefix.
    Changes(WatchBatch),
    /// Everything up to this revision has been yielded. Comes when a watch has caught up, after [`Progress::request`],
    /// and now and then while revisions pass that hold nothing for it, so that it can resume from there.
    Bookmark(u64),
}

impl WatchItem {
    /// The revision up to which everything has been yielded with this item.
    pub fn revision(&self) -> u64 {
        match self {
            Self::Changes(batch) => batch.revision,
            Self::Bookmark(revision) => *revision,
        }
    }
}

/// What an engine implements under a [`Watch`].
pub trait WatchSource: Send {
    /// The next item. After an error it is not polled again.
    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Result<WatchItem, WatchError>>;

    /// What [`Progress::request`] does.
    fn progress(&self) -> Progress;
}

/// A watch in progress; dropping it ends it.
pub struct Watch {
    source: Box<dyn WatchSource>,
    failed: Option<WatchError>,
}

impl Watch {
    /// A watch over an engine's source.
    pub fn new(source: impl WatchSource + 'static) -> Self {
        Self {
            source: Box::new(source),
            failed: None,
        }
    }

    /// The next item. Cancel-safe.
    ///
    /// # Errors
    /// [`WatchError`]: this watch is over, and says the same from now on.
    pub async fn next(&mut self) -> Result<WatchItem, WatchError> {
        poll_fn(|context| self.poll_next(context)).await
    }

    /// [`Watch::next`] for those who poll.
    ///
    /// # Errors
    /// As [`Watch::next`].
    pub fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Result<WatchItem, WatchError>> {
        if let Some(error) = &self.failed {
            return Poll::Ready(Err(error.clone()));
        }
        let item = self.source.poll_next(context);
        if let Poll::Ready(Err(error)) = &item {
            self.failed = Some(error.clone());
        }
        item
    }

    /// A handle to ask this watch for a bookmark.
    pub fn progress(&self) -> Progress {
        self.source.progress()
    }
}

/// Asks a watch how far it has come, from wherever. For whoever waits until the watch's consumer has seen a revision
/// that may hold nothing under its prefix.
#[derive(Clone)]
pub struct Progress {
    request: Arc<dyn Fn() + Send + Sync>,
}

impl Progress {
    /// A handle that calls `request`.
    pub fn new(request: impl Fn() + Send + Sync + 'static) -> Self {
        Self {
            request: Arc::new(request),
        }
    }

    /// The watch will soon yield an item that covers every revision committed until now, a bookmark if nothing else.
    pub fn request(&self) {
        (self.request)();
    }
}
