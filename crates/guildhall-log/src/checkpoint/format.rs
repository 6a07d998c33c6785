//! Names, header and blocks of a checkpoint file; the layout is in the parent's documentation.

use crate::{
    Sequence,
    frame::{u32_at, u64_at},
    segment::{BadHeader, salt},
};

/// Length of the file's header in bytes.
pub(super) const HEADER: usize = 32;

/// Length of a block's header in bytes.
pub(super) const BLOCK_HEADER: usize = 16;

/// The longest payload of a block.
pub(super) const BLOCK: usize = 64 << 10;

/// The format this version writes, and the newest it reads.
pub(super) const VERSION: u32 = 1;

const MAGIC: &[u8; 8] = b"GHLOGCKP";

const SUFFIX: &str = ".checkpoint";

/// What the name of an unfinished checkpoint ends with.
const UNFINISHED: &str = ".checkpoint.tmp";

pub(super) fn file_name(name: &str, sequence: Sequence) -> String {
    format!("{name}-{:020}{SUFFIX}", sequence.get())
}

pub(super) fn unfinished_name(name: &str, sequence: Sequence) -> String {
    format!("{name}-{:020}{UNFINISHED}", sequence.get())
}

/// The sequence of the finished checkpoint `name` with this file name, if it is one.
pub(super) fn sequence_of(name: &str, file: &str) -> Option<Sequence> {
    numbered(name, file.strip_suffix(SUFFIX)?)
}

/// Whether the file is an unfinished checkpoint `name`.
pub(super) fn is_unfinished(name: &str, file: &str) -> bool {
    file.strip_suffix(UNFINISHED)
        .and_then(|stem| numbered(name, stem))
        .is_some()
}

fn numbered(name: &str, stem: &str) -> Option<Sequence> {
    stem.strip_prefix(name)?
        .strip_prefix('-')?
        .parse()
        .ok()
        .map(Sequence::new)
}

/// A checkpoint's header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Header {
    pub(super) sequence: Sequence,
    salt: u64,
}

impl Header {
    pub(super) fn new(sequence: Sequence) -> Self {
        Self {
            sequence,
            salt: salt(),
        }
    }

    pub(super) fn encode(&self) -> [u8; HEADER] {
        let mut bytes = [0; HEADER];
        bytes[..8].copy_from_slice(MAGIC);
        bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.sequence.get().to_le_bytes());
        bytes[24..].copy_from_slice(&self.salt.to_le_bytes());
        let crc = checksum(&bytes);
        bytes[12..16].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, BadHeader> {
        if bytes.len() != HEADER
            || !bytes.starts_with(MAGIC)
            || u32_at(bytes, 12) != checksum(bytes)
        {
            return Err(BadHeader::Damaged);
        }
        match u32_at(bytes, 8) {
            VERSION => Ok(Self {
                sequence: Sequence::new(u64_at(bytes, 16)),
                salt: u64_at(bytes, 24),
            }),
            newer => Err(BadHeader::Version(newer)),
        }
    }

    /// The seed of the blocks' checksums.
    pub(super) fn seed(&self) -> u32 {
        crc32c::crc32c_append(
            crc32c::crc32c(&self.sequence.get().to_le_bytes()),
            &self.salt.to_le_bytes(),
        )
    }
}

fn checksum(header: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&header[..12]), &header[16..])
}

/// Writes the header of a block whose payload already stands behind it.
pub(super) fn seal_block(block: &mut [u8], seed: u32, number: u64) {
    let length = (block.len() - BLOCK_HEADER) as u32;
    block[4..8].copy_from_slice(&length.to_le_bytes());
    block[8..16].copy_from_slice(&number.to_le_bytes());
    let crc = crc32c::crc32c_append(seed, &block[4..]);
    block[..4].copy_from_slice(&crc.to_le_bytes());
}

/// The payload length that a block's header states, if it can be one.
pub(super) fn block_length(header: &[u8]) -> Option<usize> {
    let length = u32_at(header, 4) as usize;
    (length <= BLOCK).then_some(length)
}

/// Whether a whole block is the one that was sealed with this number.
pub(super) fn verify_block(block: &[u8], seed: u32, number: u64) -> bool {
    u64_at(block, 8) == number && u32_at(block, 0) == crc32c::crc32c_append(seed, &block[4..])
}
