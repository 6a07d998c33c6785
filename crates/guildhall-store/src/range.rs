//! Reading many entries, a page at a time, all as of one revision.

use std::sync::Arc;

use bytes::Bytes;

use crate::Entry;

/// Which entries to read.
///
/// ```
/// use guildhall_store::Range;
///
/// let first = Range::prefix("live/").limit(500);
/// let next = first.clone().after("live/the/last/key/seen", 42); // 42: the first page's revision
/// assert_eq!(next.at, Some(42));
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Range {
    /// Keys that begin with this; empty: all.
    pub prefix: Bytes,
    /// Only keys after this one: the last key of the page before.
    pub start_after: Option<Bytes>,
    /// At most so many; `None`: all at once.
    pub limit: Option<usize>,
    /// As of this revision, which must be that of an earlier page of this range; `None`: as of now.
    pub at: Option<u64>,
}

/// Entries in key order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Page {
    /// The entries.
    pub entries: Vec<Arc<Entry>>,
    /// As of which revision; a watch from the one after it misses nothing.
    pub revision: u64,
    /// Whether there are entries after the last of these. A page that has more is kept readable for a minute after
    /// its last use, and for the last few dozen ranges, at least.
    pub more: bool,
}

impl Range {
    /// Every entry whose key begins with `prefix`, as of now.
    pub fn prefix(prefix: impl Into<Bytes>) -> Self {
        Self {
            prefix: prefix.into(),
            ..Self::default()
        }
    }

    /// At most `limit` entries.
    #[must_use]
    pub fn limit(mut self, limit: usize) -> Self {
        self.limit = Some(limit);
        self
    }

    /// The page after one that ended with `key` and showed `revision`.
    #[must_use]
    pub fn after(mut self, key: impl Into<Bytes>, revision: u64) -> Self {
        self.start_after = Some(key.into());
        self.at = Some(revision);
        self
    }
}
