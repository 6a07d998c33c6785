//! Contents by their hash: the store's blobs, the latest of them kept in memory.

use bytes::Bytes;
use guildhall_core::config::ContentHash;
use guildhall_core::document::DocumentKey;
use guildhall_store::{Blob, BlobHash, Store, Transaction};
use quick_cache::{Weighter, sync::Cache};

use crate::Error;

/// What an entry costs beside its bytes.
const OVERHEAD: u64 = 128;

/// What the cache is laid out for: as many entries as the budget has of this size.
const USUAL: u64 = 4 * 1024;

/// The longest content that comes along with a transaction, in bytes: all that is committed with that waits for it.
const COMES_ALONG: usize = 64 * 1024;

/// Reads contents. A content never changes, so what is kept is never wrong.
#[derive(Debug)]
pub(crate) struct Contents {
    kept: Cache<BlobHash, Bytes, ByBytes>,
}

#[derive(Clone, Debug)]
struct ByBytes;

impl Weighter<BlobHash, Bytes> for ByBytes {
    fn weight(&self, _: &BlobHash, content: &Bytes) -> u64 {
        content.len() as u64 + OVERHEAD
    }
}

/// How many entries a cache of `budget` bytes is laid out for.
pub(super) fn entries(budget: u64) -> usize {
    usize::try_from(budget / USUAL)
        .unwrap_or(usize::MAX)
        .max(16)
}

impl Contents {
    /// Keeps about `budget` bytes.
    pub(crate) fn new(budget: u64) -> Self {
        Self {
            kept: Cache::with_weighter(entries(budget), budget, ByBytes),
        }
    }

    /// The content of this hash; `None` if the store does not have it.
    pub(super) async fn find(
        &self,
        store: &dyn Store,
        hash: ContentHash,
    ) -> Result<Option<Bytes>, Error> {
        let hash = BlobHash::new(hash.0);
        if let Some(content) = self.kept.get(&hash) {
            return Ok(Some(content));
        }
        let content = store.blob_get(hash).await?;
        if let Some(content) = &content {
            self.kept.insert(hash, content.clone());
        }
        Ok(content)
    }

    /// The content that the document `key` names.
    pub(super) async fn get(
        &self,
        store: &dyn Store,
        key: &DocumentKey,
        hash: ContentHash,
    ) -> Result<Bytes, Error> {
        let found = self.find(store, hash).await?;
        found.ok_or_else(|| Error::ContentLost {
            key: key.clone(),
            hash,
        })
    }

    /// Makes a content durable.
    pub(super) async fn put(&self, store: &dyn Store, content: &Blob) -> Result<(), Error> {
        store.blob_put(content.bytes().clone()).await?;
        self.remember(content);
        Ok(())
    }

    /// Has a content come along with `transaction`, which waits less than two that follow each other; one that others would
    /// have to wait for is made durable now.
    pub(super) async fn bring(
        &self,
        store: &dyn Store,
        content: Blob,
        transaction: &mut Transaction,
    ) -> Result<(), Error> {
        if content.bytes().len() > COMES_ALONG {
            return self.put(store, &content).await;
        }
        // Who is told of the release finds it here already.
        self.remember(&content);
        transaction.blobs.push(content);
        Ok(())
    }

    fn remember(&self, content: &Blob) {
        // A copy, as what was given may be a piece of something larger, of a connection's buffer for instance, which would
        // stay as long as the piece.
        let bytes = Bytes::copy_from_slice(content.bytes());
        self.kept.insert(content.hash(), bytes);
    }
}
