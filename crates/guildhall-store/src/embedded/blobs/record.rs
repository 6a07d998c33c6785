//! A blob as a record of the log: a tag, its hash, its bytes.
//!
//! The hash is there so that a start need not compute it; whoever reads a blob compares it with the bytes.

use crate::BlobHash;

/// The only kind of record so far.
const TAG: u8 = b'B';
/// What stands before the bytes.
pub(super) const PREFIX: usize = 1 + BlobHash::BYTES;

/// What stands before the bytes of the blob with this hash.
pub(super) fn prefix(hash: &BlobHash) -> [u8; PREFIX] {
    let mut prefix = [TAG; PREFIX];
    prefix[1..].copy_from_slice(hash.as_bytes());
    prefix
}

/// A record of another kind: a newer version wrote it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("it is no blob; start a newer guildhall")]
pub(super) struct Unknown;

/// The hash that a record states, and the bytes.
pub(super) fn decode(record: &[u8]) -> Result<(BlobHash, &[u8]), Unknown> {
    match record.split_first() {
        Some((&TAG, rest)) => {
            let (hash, bytes) = rest.split_first_chunk().ok_or(Unknown)?;
            Ok((BlobHash::new(*hash), bytes))
        }
        _ => Err(Unknown),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A format change that this test sees needs a new tag, and the old one stays to be read for ever.
    #[test]
    fn a_record_is_what_it_was() {
        let hash = BlobHash::new([7; 32]);
        let record = [&prefix(&hash)[..], b"content"].concat();
        assert_eq!(record, [&[b'B'][..], &[7; 32], b"content"].concat());
        assert_eq!(decode(&record), Ok((hash, &b"content"[..])));
        for other in [&b""[..], b"C", &record[..PREFIX - 1]] {
            assert_eq!(decode(other), Err(Unknown));
        }
    }
}
