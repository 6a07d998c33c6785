//! The store's errors, one enum per call, each saying the next move.

use bytes::Bytes;
use guildhall_core::document::Index;

use crate::{BlobHash, LeaseId, MAX_BLOB_BYTES, MAX_OPERATIONS, MAX_TRANSACTION_BYTES};

/// The store cannot be asked now.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Unavailable {
    /// It was shut down; this process is on its way out.
    #[error("the store is shut down")]
    Stopped,
    /// A remote store did not answer; try again.
    #[error("the store cannot be reached: {0}; try again")]
    Unreachable(String),
    /// This engine cannot do that at all.
    #[error("this store does not support {0}")]
    Unsupported(&'static str),
}

/// Why a store takes no writes. Reads and watches go on.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ReadOnly {
    /// The disk is full. Tried again every second.
    #[error(
        "the store is read-only because the disk is full ({0}); free some space, writing then resumes by itself"
    )]
    Full(String),
    /// A write failed. Tried again every second.
    #[error(
        "the store is read-only because a write failed ({0}); writing resumes by itself once a write succeeds"
    )]
    WriteFailed(String),
    /// A sync failed, so that what the operating system says about the disk can no longer be trusted.
    #[error("the store is read-only because a sync failed ({0}); check the disk, then restart")]
    SyncFailed(String),
}

impl ReadOnly {
    /// Whether writing resumes without a restart.
    pub fn is_transient(&self) -> bool {
        !matches!(self, Self::SyncFailed(_))
    }
}

/// A transaction outside the limits: the caller's fault.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum TransactionError {
    /// More than [`MAX_OPERATIONS`] operations or compares.
    #[error(
        "a transaction has at most {MAX_OPERATIONS} operations and as many compares, this one {count}; split it"
    )]
    TooManyOperations {
        /// How many it has.
        count: usize,
    },
    /// More than [`MAX_TRANSACTION_BYTES`].
    #[error(
        "a transaction has at most {MAX_TRANSACTION_BYTES} bytes, this one {bytes}; split it or keep values as blobs"
    )]
    TooLarge {
        /// How many it has.
        bytes: usize,
    },
    /// A blob that it brings along has more than [`MAX_BLOB_BYTES`].
    #[error("a blob has at most {MAX_BLOB_BYTES} bytes, this one {bytes}")]
    BlobTooLarge {
        /// How many it has.
        bytes: usize,
    },
    /// A key is changed twice.
    #[error("the key {key:?} is changed twice in one transaction; merge the two operations")]
    DuplicateKey {
        /// The key.
        key: Bytes,
    },
    /// A key is empty.
    #[error("a key is empty")]
    EmptyKey,
}

/// Why a transaction was not committed. Nothing was changed, unless it is [`CommitError::Unknown`].
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CommitError {
    /// A compare did not hold: read again and decide again.
    #[error("compare {at} does not hold at {index}; read again and retry")]
    Conflict {
        /// Which compare, counting from 0.
        at: usize,
        /// The store's index when it was evaluated, or a later one.
        index: Index,
    },
    /// It is outside the limits.
    #[error(transparent)]
    Invalid(#[from] TransactionError),
    /// A put names a lease that has ended.
    #[error("lease {lease} has expired or was revoked; grant a new one")]
    LeaseUnknown {
        /// The lease.
        lease: LeaseId,
    },
    /// A put names a blob that is not there.
    #[error("blob {hash} is not there; put it first")]
    BlobMissing {
        /// The blob.
        hash: BlobHash,
    },
    /// A blob that it brings along could not be kept.
    #[error(transparent)]
    Blob(BlobError),
    /// Nothing can be written now.
    #[error(transparent)]
    ReadOnly(#[from] ReadOnly),
    /// Whether it was committed is not known: read to find out.
    #[error("whether the transaction was committed is not known ({0}); read before trying again")]
    Unknown(String),
    /// The store cannot be asked.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// Why a read was not answered.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ReadError {
    /// The wanted revision is gone (or never was).
    #[error(
        "the requested revision can no longer be read, the oldest is {oldest}; start the list over"
    )]
    Compacted {
        /// The oldest revision that can be read.
        oldest: u64,
    },
    /// The store cannot be asked.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// Why a watch ended. Whoever still wants to follow reads everything anew and watches from there.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum WatchError {
    /// The wanted revisions are no longer kept.
    #[error(
        "revisions before {oldest} are no longer kept; read everything again and watch from there"
    )]
    Compacted {
        /// The oldest revision that a watch can start from.
        oldest: u64,
    },
    /// The watcher was too slow: what it has not seen yet is no longer kept.
    #[error("this watch fell too far behind; read everything again and watch from there")]
    Overflow,
    /// The store was restored from a snapshot: another incarnation.
    #[error("the store was restored from a snapshot; read everything again and watch from there")]
    Restored,
    /// The store cannot be asked.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// Why a lease was not granted, renewed or revoked.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum LeaseError {
    /// It has expired or was revoked, or never was.
    #[error("lease {lease} has expired or was revoked; grant a new one")]
    Unknown {
        /// The lease.
        lease: LeaseId,
    },
    /// The time to live is zero or beyond a year.
    #[error("a lease lives for more than zero and at most 365 days")]
    InvalidTtl,
    /// Nothing can be written now.
    #[error(transparent)]
    ReadOnly(#[from] ReadOnly),
    /// Whether it was done is not known.
    #[error("whether the lease was changed is not known ({0})")]
    Unknowable(String),
    /// The store cannot be asked.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// Why a blob was not kept or found.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BlobError {
    /// More than [`MAX_BLOB_BYTES`].
    #[error("a blob has at most {MAX_BLOB_BYTES} bytes, this one {bytes}")]
    TooLarge {
        /// How many it has.
        bytes: usize,
    },
    /// Its bytes no longer have its hash.
    #[error(
        "blob {hash} is damaged on disk; restore the latest snapshot, or put the same content again"
    )]
    Damaged {
        /// The blob.
        hash: BlobHash,
    },
    /// The disk said no.
    #[error("{action} blob {hash} failed: {cause}; check the disk and its free space")]
    Io {
        /// `reading` or `writing`.
        action: &'static str,
        /// The blob.
        hash: BlobHash,
        /// The system's error.
        cause: String,
    },
    /// The store cannot be asked.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// Why history was not compacted.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CompactError {
    /// That revision is yet to come.
    #[error("revision {revision} has not happened yet, the latest is {latest}")]
    Future {
        /// What was asked for.
        revision: u64,
        /// The latest one.
        latest: u64,
    },
    /// Nothing can be written now.
    #[error(transparent)]
    ReadOnly(#[from] ReadOnly),
    /// The store cannot be asked.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// Why a snapshot could not be taken to its end.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SnapshotError {
    /// A blob could not be read.
    #[error(transparent)]
    Blob(#[from] BlobError),
    /// A blob that an entry names is missing.
    #[error("blob {hash} is missing on disk; put the same content again, then take the snapshot")]
    BlobMissing {
        /// The blob.
        hash: BlobHash,
    },
    /// The store cannot be asked.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}
