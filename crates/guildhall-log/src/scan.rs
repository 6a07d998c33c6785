//! Reading frames out of a segment file, through a window that is read ahead.

use std::io;

use crate::{
    Sequence,
    files::File,
    frame::{self, ALIGN, Header},
};

/// A checked frame and where it stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Frame {
    pub(crate) at: u64,
    pub(crate) header: Header,
}

impl Frame {
    /// Offset of the frame after this one.
    pub(crate) fn end(&self) -> u64 {
        self.at + self.header.frame_length()
    }
}

/// The part of a file that was read last. It serves one file at a time, see [`Window::clear`].
pub(crate) struct Window {
    /// Grows to the longest read and stays; only `filled` bytes of it are the file's.
    buffer: Vec<u8>,
    filled: usize,
    start: u64,
    /// How much is read at least, when there is that much.
    pub(crate) read_ahead: usize,
}

impl Window {
    pub(crate) fn new(read_ahead: usize) -> Self {
        Self {
            buffer: Vec::new(),
            filled: 0,
            start: 0,
            read_ahead,
        }
    }

    /// Forgets what was read; due whenever the next read is of another file.
    pub(crate) fn clear(&mut self) {
        self.filled = 0;
    }

    /// `length` bytes at `at`, fewer where `limit` or the file's end come first.
    pub(crate) fn read(
        &mut self,
        file: &dyn File,
        at: u64,
        length: usize,
        limit: u64,
    ) -> io::Result<&[u8]> {
        let left = usize::try_from(limit.saturating_sub(at)).unwrap_or(usize::MAX);
        let length = length.min(left);
        if at < self.start || at + length as u64 > self.start + self.filled as u64 {
            let ahead = length.max(self.read_ahead).min(left);
            if self.buffer.len() < ahead {
                self.buffer.resize(ahead, 0);
            }
            self.filled = 0;
            self.filled = file.read_at(at, &mut self.buffer[..ahead])?;
            self.start = at;
        }
        Ok(self.slice(at, length))
    }

    /// The checked frame at `at`, or `None` when there is none that ends by `limit`.
    pub(crate) fn frame(
        &mut self,
        file: &dyn File,
        seed: u32,
        at: u64,
        limit: u64,
    ) -> io::Result<Option<Frame>> {
        let Some(header) = Header::parse(self.read(file, at, frame::HEADER, limit)?, at) else {
            return Ok(None);
        };
        let found = Frame { at, header };
        if found.end() > limit {
            return Ok(None);
        }
        let length = header.frame_length() as usize;
        let bytes = self.read(file, at, length, limit)?;
        Ok((bytes.len() == length && frame::verify(bytes, seed)).then_some(found))
    }

    /// The payload of the frame that was read last.
    pub(crate) fn payload(&self, frame: &Frame) -> &[u8] {
        self.slice(
            frame.at + frame::HEADER as u64,
            frame.header.length as usize,
        )
    }

    /// The first checked frame at or after `from` whose sequence is at least `lowest`.
    pub(crate) fn find(
        &mut self,
        file: &dyn File,
        seed: u32,
        from: u64,
        limit: u64,
        lowest: Sequence,
    ) -> io::Result<Option<Frame>> {
        let mut at = from.next_multiple_of(ALIGN);
        while at + frame::HEADER as u64 <= limit {
            let bytes = self.read(file, at, 64 << 10, limit)?;
            if bytes.len() < frame::HEADER {
                break;
            }
            // Zeroes and frames of an earlier life have lower sequences, so that nearly every offset is passed over here.
            let last = bytes.len() - frame::HEADER;
            let scanned = (last as u64 / ALIGN + 1) * ALIGN;
            let candidate = (0..=last).step_by(ALIGN as usize).find(|offset| {
                Header::parse(&bytes[*offset..], at + *offset as u64)
                    .is_some_and(|header| header.sequence >= lowest)
            });
            let Some(offset) = candidate else {
                at += scanned;
                continue;
            };
            at += offset as u64;
            if let Some(found) = self.frame(file, seed, at, limit)? {
                return Ok(Some(found));
            }
            at += ALIGN;
        }
        Ok(None)
    }

    fn slice(&self, at: u64, length: usize) -> &[u8] {
        let from = usize::try_from(at.saturating_sub(self.start))
            .map_or(self.filled, |from| from.min(self.filled));
        let to = from.saturating_add(length).min(self.filled);
        &self.buffer[from..to]
    }
}
