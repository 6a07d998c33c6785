//! Where a record stands, for owners that keep an index of their own and read single records back.

use std::{io, sync::Arc};

use bytes::Bytes;

use crate::{
    Damage, ReadError, Sequence, View,
    frame::{self, Header},
};

/// Where a record's frame begins. It stays valid until the record's segment is dropped, and no later record has the
/// same one: segments' numbers are not used again.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Location {
    /// The segment's number; 1 is the first of a log.
    pub segment: u64,
    /// The frame's offset in the segment's file, in bytes; a multiple of 8.
    pub offset: u64,
}

impl Location {
    /// The place so many bytes further on in the same segment.
    pub const fn plus(self, bytes: u64) -> Self {
        Self {
            segment: self.segment,
            offset: self.offset + bytes,
        }
    }
}

/// A segment that is kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Kept {
    /// Its number.
    pub number: u64,
    /// Its first record's sequence.
    pub first: Sequence,
}

impl View {
    /// The segments that are kept, oldest first; the last is the one being written.
    pub fn segments(&self) -> Vec<Kept> {
        self.shared.read(|segments| {
            let kept = segments.iter().map(|segment| Kept {
                number: segment.number,
                first: segment.first,
            });
            kept.collect()
        })
    }

    /// Reads one record of `length` bytes whose place is known, with one positioned read, and checks it. It blocks for
    /// that long.
    ///
    /// # Errors
    /// [`ReadError::Gone`] when the segment was dropped (or never was), [`ReadError::Damaged`] when what stands there is
    /// not a record of this length, [`ReadError::Io`].
    pub fn read_at(&self, at: Location, length: usize) -> Result<Bytes, ReadError> {
        let Some(segment) = self.shared.numbered(at.segment) else {
            return Err(ReadError::Gone { at });
        };
        let file = || self.shared.files.path(&segment.name());
        let mut bytes = vec![0; frame::framed(length)];
        let read = segment
            .file
            .read_at(at.offset, &mut bytes)
            .map_err(|error: io::Error| ReadError::Io {
                file: file(),
                source: Arc::new(error),
            })?;
        let whole = read == bytes.len()
            && Header::parse(&bytes, at.offset)
                .is_some_and(|header| header.length as usize == length)
            && frame::verify(&bytes, segment.seed);
        if !whole {
            return Err(ReadError::Damaged(Damage {
                file: file(),
                offset: at.offset,
                what: format!("no record of {length} bytes stands there whole"),
            }));
        }
        Ok(Bytes::from(bytes).slice(frame::HEADER..frame::HEADER + length))
    }
}
