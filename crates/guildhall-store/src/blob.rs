//! The name of a blob: the BLAKE3 hash of its bytes.

use std::{fmt, str::FromStr};

use bytes::Bytes;
use guildhall_core::hex;

/// The most bytes in one blob.
pub const MAX_BLOB_BYTES: usize = 1 << 20;

/// Bytes with their hash: what a [`Transaction`](crate::Transaction) brings along.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Blob {
    hash: BlobHash,
    bytes: Bytes,
}

impl Blob {
    /// Computes the hash of `bytes`.
    pub fn of(bytes: Bytes) -> Self {
        let hash = BlobHash::of(&bytes);
        Self { hash, bytes }
    }

    /// Bytes whose hash was computed before.
    pub(crate) fn known(hash: BlobHash, bytes: Bytes) -> Self {
        Self { hash, bytes }
    }

    /// Its name.
    pub fn hash(&self) -> BlobHash {
        self.hash
    }

    /// What it holds.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }
}

/// The BLAKE3 hash of a blob's bytes, written in lower-case hex.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlobHash([u8; Self::BYTES]);

/// Text that is not a blob's hash.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0:?} is not the hash of a blob: it has 64 hexadecimal digits")]
pub struct BlobHashError(String);

impl BlobHash {
    /// Bytes in a hash.
    pub const BYTES: usize = 32;

    /// The hash of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }

    /// A hash from its bytes.
    pub const fn new(bytes: [u8; Self::BYTES]) -> Self {
        Self(bytes)
    }

    /// The hash's bytes.
    pub const fn as_bytes(&self) -> &[u8; Self::BYTES] {
        &self.0
    }
}

impl fmt::Display for BlobHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex::write(&self.0, f)
    }
}

impl fmt::Debug for BlobHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BlobHash({self})")
    }
}

impl FromStr for BlobHash {
    type Err = BlobHashError;

    fn from_str(text: &str) -> Result<Self, BlobHashError> {
        let digit = |at: usize| match text.as_bytes().get(at) {
            Some(digit @ b'0'..=b'9') => Some(digit - b'0'),
            Some(digit @ b'a'..=b'f') => Some(digit - b'a' + 10),
            _ => None,
        };
        let mut bytes = [0; Self::BYTES];
        for (at, byte) in bytes.iter_mut().enumerate() {
            let (Some(high), Some(low)) = (digit(2 * at), digit(2 * at + 1)) else {
                return Err(BlobHashError(text.to_owned()));
            };
            *byte = high << 4 | low;
        }
        if text.len() != 2 * Self::BYTES {
            return Err(BlobHashError(text.to_owned()));
        }
        Ok(Self(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_reads_back_and_refuses_other_text() {
        let hash = BlobHash::of(b"guildhall");
        assert_eq!(hash.to_string().parse(), Ok(hash));
        let text = hash.to_string();
        for bad in [
            "",
            &text[1..],
            &format!("{text}0"),
            &text.to_uppercase().replace(char::is_numeric, "A"),
        ] {
            assert!(bad.parse::<BlobHash>().is_err(), "{bad}");
        }
    }
}
