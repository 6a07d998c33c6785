//! A dump of the whole store while it runs, as a stream of chunks.

use bytes::Bytes;
use guildhall_core::document::Index;

use crate::{SnapshotError, store::BoxFuture};

/// What an engine implements under a [`Snapshot`].
pub trait SnapshotChunks: Send {
    /// The next chunk; `None` at the end.
    fn next(&mut self) -> BoxFuture<'_, Result<Option<Bytes>, SnapshotError>>;
}

/// A logical dump of one revision: entries, leases, and the blobs they name, in a versioned format that ends with a
/// checksum. Write all chunks one after the other; what lacks the end is refused when restoring.
pub struct Snapshot {
    index: Index,
    chunks: Box<dyn SnapshotChunks>,
}

impl Snapshot {
    /// A snapshot of `index` over an engine's chunks.
    pub fn new(index: Index, chunks: impl SnapshotChunks + 'static) -> Self {
        Self {
            index,
            chunks: Box::new(chunks),
        }
    }

    /// What it shows.
    pub fn index(&self) -> Index {
        self.index
    }

    /// The next chunk, of any length; `None` when the snapshot is complete.
    ///
    /// # Errors
    /// [`SnapshotError`]: throw away what was written and start over.
    pub async fn next(&mut self) -> Result<Option<Bytes>, SnapshotError> {
        self.chunks.next().await
    }
}
