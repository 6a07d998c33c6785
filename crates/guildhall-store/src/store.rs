//! The contract of a control store, and nothing else. Engines implement it, the conformance suite checks it.

use std::{pin::Pin, time::Duration};

use bytes::Bytes;
use guildhall_core::document::Index;

use std::sync::Arc;

use crate::{
    BlobError, BlobHash, CommitError, Committed, CompactError, Entry, LeaseError, LeaseId, Page,
    Range, ReadError, Snapshot, SnapshotError, Status, Transaction, Watch, WatchError,
};

/// A boxed future of the standard library's kind, so that the trait stays usable as `dyn Store`.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// An ordered map of keys to values with one global revision, as etcd has it.
///
/// Every transaction that changes something takes the next revision; reads show whole transactions only. Whoever has
/// been answered by [`Store::commit`] finds the result in every later read through the same handle, and after any crash.
pub trait Store: Send + Sync + 'static {
    /// The entry under `key`, as of now.
    ///
    /// # Errors
    /// [`ReadError`].
    fn get<'a>(&'a self, key: &'a [u8]) -> BoxFuture<'a, Result<Option<Arc<Entry>>, ReadError>>;

    /// One page of the entries under a prefix, in key order.
    ///
    /// # Errors
    /// [`ReadError::Compacted`] when the revision that the first page showed is gone: start over.
    fn range(&self, range: Range) -> BoxFuture<'_, Result<Page, ReadError>>;

    /// Applies a transaction if all its compares hold, and answers once it is durable. Dropping the future does not
    /// undo a transaction that is on its way.
    ///
    /// # Errors
    /// [`CommitError`]. Nothing was changed, unless it is [`CommitError::Unknown`].
    fn commit(&self, transaction: Transaction) -> BoxFuture<'_, Result<Committed, CommitError>>;

    /// Follows the keys under `prefix` (empty: all keys). `from` is the first revision wanted; without it, what is
    /// committed after this call returns, and the first item is a bookmark that says after which revision that is.
    ///
    /// # Errors
    /// [`WatchError`]; what is found out later comes from [`Watch::next`].
    fn watch<'a>(
        &'a self,
        prefix: &'a [u8],
        from: Option<u64>,
    ) -> BoxFuture<'a, Result<Watch, WatchError>>;

    /// Grants a lease. It expires when it is not renewed for `ttl`, which engines may round up (etcd: to seconds, and
    /// to a minimum of its own).
    ///
    /// # Errors
    /// [`LeaseError`].
    fn lease_grant(&self, ttl: Duration) -> BoxFuture<'_, Result<LeaseId, LeaseError>>;

    /// Renews a lease and says for how long.
    ///
    /// # Errors
    /// [`LeaseError::Unknown`] once it has expired or was revoked: its keys are gone.
    fn lease_keepalive(&self, lease: LeaseId) -> BoxFuture<'_, Result<Duration, LeaseError>>;

    /// Ends a lease and deletes the keys put under it, in a transaction of their own.
    ///
    /// # Errors
    /// [`LeaseError`].
    fn lease_revoke(&self, lease: LeaseId) -> BoxFuture<'_, Result<(), LeaseError>>;

    /// Keeps bytes (at most [`crate::MAX_BLOB_BYTES`]) under their hash; durable when it returns. A blob that no entry
    /// names ([`crate::Op::Put`]) is collected after a while.
    ///
    /// # Errors
    /// [`BlobError`].
    fn blob_put(&self, bytes: Bytes) -> BoxFuture<'_, Result<BlobHash, BlobError>>;

    /// The bytes under a hash; `None` when there are none.
    ///
    /// # Errors
    /// [`BlobError`].
    fn blob_get(&self, hash: BlobHash) -> BoxFuture<'_, Result<Option<Bytes>, BlobError>>;

    /// Forgets the history up to and including `revision`: watches can no longer start there. Current values stay.
    /// A revision that is compacted already is no error.
    ///
    /// # Errors
    /// [`CompactError`].
    fn compact(&self, revision: u64) -> BoxFuture<'_, Result<(), CompactError>>;

    /// A dump of everything as of now, to be kept elsewhere; commits go on meanwhile.
    ///
    /// # Errors
    /// [`SnapshotError`].
    fn snapshot(&self) -> BoxFuture<'_, Result<Snapshot, SnapshotError>>;

    /// The last committed revision that this handle knows of, and its incarnation.
    fn index(&self) -> Index;

    /// How the store is.
    fn status(&self) -> Status;
}
