//! One segment file: its name, its header, and what readers and the writer know of it.
//!
//! The header takes a sector of its own, so that no write of records touches it:
//!
//! | at | bytes | what |
//! |---|---|---|
//! | 0 | 8 | `GHLOGSEG` |
//! | 8 | 4 | format version |
//! | 12 | 4 | CRC-32C of the other 60 bytes |
//! | 16 | 8 | number, as in the file's name |
//! | 24 | 8 | sequence of the first record |
//! | 32 | 8 | salt, drawn anew each time a file becomes a segment |
//! | 40 | 24 | zero |
//!
//! Number and salt make the seed of the frames' checksums. The salt is there against payloads that imitate frames: a
//! client that writes the bytes of a future frame cannot know the seed it would have to be sealed with.

use std::{
    collections::hash_map::RandomState,
    hash::{BuildHasher as _, Hasher as _},
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use crate::{
    Sequence,
    files::File,
    frame::{u32_at, u64_at},
};

/// Where the first frame begins: a sector, of which the header uses 64 bytes.
pub(crate) const BODY: u64 = 512;

/// Bytes of the header that are used.
pub(crate) const HEADER: usize = 64;

/// The format this version writes, and the newest it reads.
pub(crate) const VERSION: u32 = 1;

const MAGIC: &[u8; 8] = b"GHLOGSEG";

/// Bytes between two entries of a segment's index.
const INDEX_EVERY: u64 = 256 << 10;

/// The name of the segment with this number.
pub(crate) fn name(number: u64) -> String {
    format!("{number:020}.log")
}

/// The number of the segment with this name, if it is one.
pub(crate) fn number(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".log")?;
    (digits.len() == 20).then(|| digits.parse().ok())?
}

/// A salt that no client can guess: the standard library's hash keys are random.
pub(crate) fn salt() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// A segment's header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Header {
    pub(crate) number: u64,
    pub(crate) first: Sequence,
    pub(crate) salt: u64,
}

/// Why bytes are no header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum BadHeader {
    /// They are not what was written.
    Damaged,
    /// They are whole, and of a newer version.
    Version(u32),
}

impl Header {
    pub(crate) fn encode(&self) -> [u8; HEADER] {
        let mut bytes = [0; HEADER];
        bytes[..8].copy_from_slice(MAGIC);
        bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.number.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.first.get().to_le_bytes());
        bytes[32..40].copy_from_slice(&self.salt.to_le_bytes());
        let crc = checksum(&bytes);
        bytes[12..16].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, BadHeader> {
        if bytes.len() != HEADER
            || !bytes.starts_with(MAGIC)
            || u32_at(bytes, 12) != checksum(bytes)
        {
            return Err(BadHeader::Damaged);
        }
        match u32_at(bytes, 8) {
            VERSION => Ok(Self {
                number: u64_at(bytes, 16),
                first: Sequence::new(u64_at(bytes, 24)),
                salt: u64_at(bytes, 32),
            }),
            newer => Err(BadHeader::Version(newer)),
        }
    }

    /// The seed of the segment's frames.
    pub(crate) fn seed(&self) -> u32 {
        crc32c::crc32c_append(
            crc32c::crc32c(&self.number.to_le_bytes()),
            &self.salt.to_le_bytes(),
        )
    }
}

fn checksum(header: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&header[..12]), &header[16..])
}

/// A kept segment, shared by the writer and the readers.
pub(crate) struct Segment {
    pub(crate) number: u64,
    pub(crate) first: Sequence,
    pub(crate) seed: u32,
    pub(crate) file: Arc<dyn File>,
    /// Offset up to which its frames are durable and may be read; for a segment that was not replayed at open, its length.
    end: AtomicU64,
    /// The first sequence that is not in this segment, once a later segment exists.
    until: OnceLock<Sequence>,
    /// Some frames' offsets, ascending, so that a reader need not walk the whole segment.
    index: Mutex<Vec<(Sequence, u64)>>,
}

impl Segment {
    pub(crate) fn new(header: &Header, file: Arc<dyn File>, end: u64) -> Self {
        Self {
            number: header.number,
            first: header.first,
            seed: header.seed(),
            file,
            end: AtomicU64::new(end),
            until: OnceLock::new(),
            index: Mutex::default(),
        }
    }

    pub(crate) fn name(&self) -> String {
        name(self.number)
    }

    pub(crate) fn end(&self) -> u64 {
        self.end.load(Ordering::Acquire)
    }

    pub(crate) fn set_end(&self, end: u64) {
        self.end.store(end, Ordering::Release);
    }

    pub(crate) fn until(&self) -> Option<Sequence> {
        self.until.get().copied()
    }

    /// States where the next segment begins; only the first statement counts.
    pub(crate) fn seal(&self, until: Sequence) {
        self.until.get_or_init(|| until);
    }

    /// Notes that the frame at `at` has this sequence, if the last note is far enough back.
    pub(crate) fn note(&self, sequence: Sequence, at: u64) {
        let mut index = self.index.lock().unwrap_or_else(PoisonError::into_inner);
        if at >= index.last().map_or(BODY, |(_, at)| *at) + INDEX_EVERY {
            index.push((sequence, at));
        }
    }

    /// The nearest noted frame at or before `sequence`, else the segment's first.
    pub(crate) fn seek(&self, sequence: Sequence) -> (Sequence, u64) {
        let index = self.index.lock().unwrap_or_else(PoisonError::into_inner);
        let after = index.partition_point(|(noted, _)| *noted <= sequence);
        after
            .checked_sub(1)
            .and_then(|at| index.get(at))
            .copied()
            .unwrap_or((self.first, BODY))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_round_trip_and_tell_damage_from_a_newer_version() {
        let header = Header {
            number: 3,
            first: Sequence::new(77),
            salt: 5,
        };
        let mut bytes = header.encode();
        assert_eq!(Header::decode(&bytes), Ok(header));
        bytes[24] ^= 1;
        assert_eq!(Header::decode(&bytes), Err(BadHeader::Damaged));
        let mut newer = header.encode();
        newer[8] = 2;
        let crc = checksum(&newer);
        newer[12..16].copy_from_slice(&crc.to_le_bytes());
        assert_eq!(Header::decode(&newer), Err(BadHeader::Version(2)));
    }

    #[test]
    fn names_are_numbers() {
        assert_eq!(number(&name(42)), Some(42));
        assert_eq!(number("42.log"), None);
        assert_eq!(number("00000000000000000001.spare"), None);
    }

    #[test]
    fn the_seed_differs_by_number_and_by_salt() {
        let seed = |number, salt| {
            Header {
                number,
                first: Sequence::FIRST,
                salt,
            }
            .seed()
        };
        assert_ne!(seed(1, 1), seed(2, 1));
        assert_ne!(seed(1, 1), seed(1, 2));
    }
}
