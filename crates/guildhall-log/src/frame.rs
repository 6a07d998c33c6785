//! The frame around each record: 24 bytes of header, the payload, zeroes up to the next multiple of 8.
//!
//! | at | bytes | what |
//! |---|---|---|
//! | 0 | 4 | CRC-32C of everything after it, padding included, continued from the segment's seed |
//! | 4 | 4 | payload length in bytes |
//! | 8 | 8 | sequence; a [`Kind::Close`] frame carries that of the record after it |
//! | 16 | 4 | offset in the segment, in units of 8, of the group this frame was written with |
//! | 20 | 1 | kind |
//! | 21 | 3 | zero |
//!
//! Numbers are little-endian. The seed makes a frame of a segment's earlier life (files are recycled) fail its check;
//! the group's offset is what tells a torn group from damage, see [`crate::recover`].

use crate::Sequence;

/// Length of a frame's header in bytes.
pub(crate) const HEADER: usize = 24;

/// Frames begin at multiples of this, in bytes.
pub(crate) const ALIGN: u64 = 8;

/// What a frame is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// A record of the owner's.
    Record,
    /// The log was closed in order here.
    Close,
}

/// A frame's header, plausible but not yet checked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Header {
    pub(crate) length: u32,
    pub(crate) sequence: Sequence,
    /// Offset in the segment of the first frame of the group.
    pub(crate) group: u64,
    pub(crate) kind: Kind,
}

impl Header {
    /// Length of the whole frame in bytes.
    pub(crate) fn frame_length(&self) -> u64 {
        framed(self.length as usize) as u64
    }

    /// Reads a header found at `at`; `None` when it cannot be one.
    pub(crate) fn parse(bytes: &[u8], at: u64) -> Option<Self> {
        let header: &[u8; HEADER] = bytes.first_chunk()?;
        let kind = match header[20..] {
            [0, 0, 0, 0] => Kind::Record,
            [1, 0, 0, 0] => Kind::Close,
            _ => return None,
        };
        let group = u64::from(u32_at(header, 16)) * ALIGN;
        let sequence = Sequence::new(u64_at(header, 8));
        (group <= at && sequence > Sequence::NONE).then_some(Self {
            length: u32_at(header, 4),
            sequence,
            group,
            kind,
        })
    }
}

/// Length in bytes of the frame around a payload of this length.
pub(crate) const fn framed(payload: usize) -> usize {
    (HEADER + payload).next_multiple_of(ALIGN as usize)
}

/// Appends an unsealed frame: checksum and group follow in [`seal`], once it is known which segment takes the group.
/// The payload's length must fit into 32 bits.
pub(crate) fn push(group: &mut Vec<u8>, sequence: Sequence, kind: Kind, parts: &[&[u8]]) {
    let payload: usize = parts.iter().map(|part| part.len()).sum();
    let start = group.len();
    group.reserve(framed(payload));
    group.extend_from_slice(&[0; 4]);
    group.extend_from_slice(&(payload as u32).to_le_bytes());
    group.extend_from_slice(&sequence.get().to_le_bytes());
    group.extend_from_slice(&[0, 0, 0, 0, matches!(kind, Kind::Close).into(), 0, 0, 0]);
    for part in parts {
        group.extend_from_slice(part);
    }
    group.resize(start + framed(payload), 0);
}

/// Completes the frames of a group that will be written at `offset` of the segment with this seed.
pub(crate) fn seal(group: &mut [u8], seed: u32, offset: u64) {
    let unit = ((offset / ALIGN) as u32).to_le_bytes();
    let mut rest = group;
    while rest.len() >= HEADER {
        let length = framed(u32_at(rest, 4) as usize);
        let (frame, after) = rest.split_at_mut(length);
        frame[16..20].copy_from_slice(&unit);
        let crc = crc32c::crc32c_append(seed, &frame[4..]);
        frame[..4].copy_from_slice(&crc.to_le_bytes());
        rest = after;
    }
}

/// Whether a whole frame (header, payload, padding) is what was sealed with this seed.
pub(crate) fn verify(frame: &[u8], seed: u32) -> bool {
    frame.len() >= HEADER && u32_at(frame, 0) == crc32c::crc32c_append(seed, &frame[4..])
}

/// The little-endian number at `at`; the caller has checked the length.
pub(crate) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes[at..]
        .first_chunk()
        .map_or(0, |chunk| u32::from_le_bytes(*chunk))
}

/// The little-endian number at `at`; the caller has checked the length.
pub(crate) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes[at..]
        .first_chunk()
        .map_or(0, |chunk| u64::from_le_bytes(*chunk))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_frame_verifies_only_unchanged_and_under_its_own_seed() {
        let mut group = Vec::new();
        push(
            &mut group,
            Sequence::new(7),
            Kind::Record,
            &[b"ab", b"", b"cde"],
        );
        push(&mut group, Sequence::new(8), Kind::Close, &[]);
        seal(&mut group, 99, 512);
        let first = framed(5);
        assert_eq!(group.len(), first + HEADER);
        assert!(verify(&group[..first], 99) && verify(&group[first..], 99));
        assert!(!verify(&group[..first], 100));
        let header = Header::parse(&group[first..], 512 + first as u64).unwrap();
        assert_eq!(
            header,
            Header {
                length: 0,
                sequence: Sequence::new(8),
                group: 512,
                kind: Kind::Close
            }
        );
        for bit in 0..first * 8 {
            let mut flipped = group[..first].to_vec();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(!verify(&flipped, 99), "bit {bit}");
        }
    }

    #[test]
    fn zeroes_are_no_frame() {
        assert_eq!(Header::parse(&[0; HEADER], 512), None);
    }
}
