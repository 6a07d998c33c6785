//! What the store keeps under a key.

use bytes::Bytes;

use crate::{BlobHash, LeaseId};

/// A value and its history's three numbers. Shared, never changed: a put makes a new one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// The key.
    pub key: Bytes,
    /// The value.
    pub value: Bytes,
    /// The revision that created it, that is, the first put since it was last absent.
    pub created: u64,
    /// The revision of its last put.
    pub modified: u64,
    /// Puts since it was created, counting from 1.
    pub version: u64,
    /// The lease it vanishes with.
    pub lease: Option<LeaseId>,
    /// The blobs it keeps alive.
    pub blobs: Box<[BlobHash]>,
}
