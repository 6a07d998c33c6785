//! What is asked of the store in one go: conditions, and the changes to make if all of them hold.

use std::collections::HashSet;

use bytes::Bytes;
use guildhall_core::document::Index;

use crate::{Blob, BlobHash, LeaseId, MAX_BLOB_BYTES, TransactionError};

/// The most operations in one transaction.
pub const MAX_OPERATIONS: usize = 128;
/// The most bytes of keys and values, compared ones included, in one transaction.
pub const MAX_TRANSACTION_BYTES: usize = 1 << 20;

/// Conditions and changes: if every compare holds, every operation is done, in one revision; else none is.
///
/// At most [`MAX_OPERATIONS`] operations (and as many compares) and [`MAX_TRANSACTION_BYTES`]; a key is changed at most
/// once. Without operations it only compares. A transaction that changes nothing (no operations, or deletions of what
/// is not there) takes no revision.
///
/// ```
/// use guildhall_store::{Compare, Op, Transaction};
///
/// let create = Transaction::new().when(Compare::absent("live/a")).then(Op::put("live/a", "1"));
/// assert!(create.validate().is_ok());
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Transaction {
    /// What must hold; checked in order.
    pub compare: Vec<Compare>,
    /// What is done then.
    pub then: Vec<Op>,
    /// Blobs that come along, as if [`Store::blob_put`](crate::Store::blob_put) had been called for each before: they are
    /// durable before anything is done, and may be there though the transaction was refused. Not counted as bytes of it.
    pub blobs: Vec<Blob>,
}

/// A condition on the entry under one key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Compare {
    /// The key.
    pub key: Bytes,
    /// What must be so.
    pub condition: Condition,
}

/// What a [`Compare`] asks of an entry. All but `Absent` fail when there is no entry.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Condition {
    /// There is no entry.
    Absent,
    /// There is one.
    Present,
    /// The revision that created it: what fencing tokens are, as it changes with every new owner.
    Created(u64),
    /// The revision that last put it: what an ETag is.
    Modified(u64),
    /// How many puts it has had since it was created.
    Version(u64),
    /// Its value.
    Value(Bytes),
    /// Its lease.
    Lease(Option<LeaseId>),
}

/// One change.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Op {
    /// Sets a value.
    Put {
        /// The key, not empty.
        key: Bytes,
        /// The value. It is kept as given, so hand over a buffer of its own rather than a slice of a larger one.
        value: Bytes,
        /// The lease it shall vanish with. A put without one ends an earlier put's attachment.
        lease: Option<LeaseId>,
        /// The blobs that this entry needs; they are kept for as long as it is.
        blobs: Vec<BlobHash>,
    },
    /// Deletes an entry; one that is not there is no error.
    Delete {
        /// The key.
        key: Bytes,
    },
}

/// What a transaction came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Committed {
    /// The transaction's own index, or the latest one if it changed nothing.
    pub index: Index,
    /// Whether it took a revision.
    pub changed: bool,
}

impl Transaction {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a condition.
    #[must_use]
    pub fn when(mut self, compare: Compare) -> Self {
        self.compare.push(compare);
        self
    }

    /// Adds an operation.
    #[must_use]
    pub fn then(mut self, op: Op) -> Self {
        self.then.push(op);
        self
    }

    /// Brings a blob along.
    #[must_use]
    pub fn bring(mut self, blob: Blob) -> Self {
        self.blobs.push(blob);
        self
    }

    /// Bytes of all keys and values.
    pub fn bytes(&self) -> usize {
        let compared = self.compare.iter().map(|compare| {
            let value = match &compare.condition {
                Condition::Value(value) => value.len(),
                _ => 0,
            };
            compare.key.len() + value
        });
        let changed = self.then.iter().map(|op| match op {
            Op::Put {
                key, value, blobs, ..
            } => key.len() + value.len() + blobs.len() * BlobHash::BYTES,
            Op::Delete { key } => key.len(),
        });
        compared.sum::<usize>() + changed.sum::<usize>()
    }

    /// Checks the limits, which are the same for every engine.
    ///
    /// # Errors
    /// [`TransactionError`]: which limit, and by how much.
    pub fn validate(&self) -> Result<(), TransactionError> {
        let count = self.then.len().max(self.compare.len());
        if count > MAX_OPERATIONS {
            return Err(TransactionError::TooManyOperations { count });
        }
        let bytes = self.bytes();
        if bytes > MAX_TRANSACTION_BYTES {
            return Err(TransactionError::TooLarge { bytes });
        }
        let blobs = self.blobs.iter().map(|blob| blob.bytes().len());
        if let Some(bytes) = blobs.max().filter(|bytes| *bytes > MAX_BLOB_BYTES) {
            return Err(TransactionError::BlobTooLarge { bytes });
        }
        let empty = self
            .compare
            .iter()
            .map(|compare| &compare.key)
            .chain(self.then.iter().map(Op::key));
        if empty.into_iter().any(Bytes::is_empty) {
            return Err(TransactionError::EmptyKey);
        }
        if self.then.len() > 1 {
            let mut seen = HashSet::with_capacity(self.then.len());
            if let Some(op) = self.then.iter().find(|op| !seen.insert(op.key())) {
                return Err(TransactionError::DuplicateKey {
                    key: op.key().clone(),
                });
            }
        }
        Ok(())
    }
}

impl Compare {
    /// `condition` on the entry under `key`.
    pub fn new(key: impl Into<Bytes>, condition: Condition) -> Self {
        Self {
            key: key.into(),
            condition,
        }
    }

    /// Nothing is there.
    pub fn absent(key: impl Into<Bytes>) -> Self {
        Self::new(key, Condition::Absent)
    }

    /// Something is there.
    pub fn present(key: impl Into<Bytes>) -> Self {
        Self::new(key, Condition::Present)
    }

    /// The entry is the one that `revision` put.
    pub fn modified(key: impl Into<Bytes>, revision: u64) -> Self {
        Self::new(key, Condition::Modified(revision))
    }

    /// The entry is the one that `revision` created.
    pub fn created(key: impl Into<Bytes>, revision: u64) -> Self {
        Self::new(key, Condition::Created(revision))
    }
}

impl Op {
    /// Puts a value that belongs to no lease and names no blob.
    pub fn put(key: impl Into<Bytes>, value: impl Into<Bytes>) -> Self {
        Self::Put {
            key: key.into(),
            value: value.into(),
            lease: None,
            blobs: Vec::new(),
        }
    }

    /// Puts a value that vanishes with `lease`.
    pub fn put_leased(key: impl Into<Bytes>, value: impl Into<Bytes>, lease: LeaseId) -> Self {
        Self::Put {
            key: key.into(),
            value: value.into(),
            lease: Some(lease),
            blobs: Vec::new(),
        }
    }

    /// Deletes what is under `key`.
    pub fn delete(key: impl Into<Bytes>) -> Self {
        Self::Delete { key: key.into() }
    }

    /// The key it changes.
    pub fn key(&self) -> &Bytes {
        match self {
            Self::Put { key, .. } | Self::Delete { key } => key,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(transaction: &Transaction, expected: &Result<(), TransactionError>) {
        assert_eq!(&transaction.validate(), expected);
    }

    #[test]
    fn the_limits_hold_at_their_edges() {
        let many = |count: usize| Transaction {
            compare: Vec::new(),
            then: (0..count).map(|n| Op::delete(n.to_string())).collect(),
            ..Transaction::default()
        };
        check(&Transaction::new(), &Ok(()));
        check(&many(MAX_OPERATIONS), &Ok(()));
        check(
            &many(MAX_OPERATIONS + 1),
            &Err(TransactionError::TooManyOperations {
                count: MAX_OPERATIONS + 1,
            }),
        );

        let put = |bytes: usize| Transaction::new().then(Op::put("k", vec![0; bytes - 1]));
        check(&put(MAX_TRANSACTION_BYTES), &Ok(()));
        check(
            &put(MAX_TRANSACTION_BYTES + 1),
            &Err(TransactionError::TooLarge {
                bytes: MAX_TRANSACTION_BYTES + 1,
            }),
        );

        let twice = Transaction::new()
            .then(Op::put("k", ""))
            .then(Op::delete("k"));
        check(
            &twice,
            &Err(TransactionError::DuplicateKey { key: "k".into() }),
        );
        check(
            &Transaction::new().then(Op::put("", "")),
            &Err(TransactionError::EmptyKey),
        );
    }
}
