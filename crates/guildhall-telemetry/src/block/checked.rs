//! Files whose every piece is checked against its sum before anything is read from it.
//!
//! A decoder that meets bytes which nobody wrote may do anything. So damage is found below it, where it is an error like any
//! other, and only where it is: the rest of the file still reads.

use std::io::{self, Cursor, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use guildhall_log::files::{File, Files};
use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, Length};
use serde::{Deserialize, Serialize};

use super::ReadError;

/// How many bytes have a sum of their own.
const PIECE: usize = 64 << 10;

/// What a file must be.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Sums {
    /// How many bytes it has.
    bytes: u64,
    /// The CRC-32C of each piece of 64 KiB.
    crc32c: Vec<u32>,
}

/// A new file that is written from its beginning to its end, and summed on the way.
pub(super) struct Summing {
    file: Arc<dyn File>,
    /// What was not written yet.
    buffer: Vec<u8>,
    sums: Sums,
    /// Of the piece that is not whole yet.
    crc: u32,
}

impl Summing {
    /// A file of this name; what had it before is gone.
    pub(super) fn create(files: &dyn Files, name: &str) -> io::Result<Self> {
        match files.remove(name) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        Ok(Self {
            file: files.create(name)?,
            buffer: Vec::with_capacity(PIECE),
            sums: Sums::default(),
            crc: 0,
        })
    }

    /// Makes the file's bytes durable; what they are.
    pub(super) fn finish(mut self) -> io::Result<Sums> {
        self.flush()?;
        self.file.sync_data()?;
        if !self.sums.bytes.is_multiple_of(PIECE as u64) {
            self.sums.crc32c.push(self.crc);
        }
        Ok(self.sums)
    }

    fn sum(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let filled = (self.sums.bytes % PIECE as u64) as usize;
            let (now, later) = bytes.split_at(bytes.len().min(PIECE - filled));
            self.crc = crc32c::crc32c_append(self.crc, now);
            self.sums.bytes += now.len() as u64;
            if filled + now.len() == PIECE {
                self.sums.crc32c.push(std::mem::take(&mut self.crc));
            }
            bytes = later;
        }
    }
}

impl Write for Summing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.sum(bytes);
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= PIECE {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let written = self.sums.bytes - self.buffer.len() as u64;
        self.file.write_at(written, &self.buffer)?;
        self.buffer.clear();
        Ok(())
    }
}

/// A file to read from.
pub(super) struct Checked {
    file: Arc<dyn File>,
    sums: Sums,
    /// A bit for each piece that was found right.
    known: Vec<AtomicU64>,
}

impl Checked {
    /// Opens a file that must be what `sums` says.
    pub(super) fn open(files: &dyn Files, name: &str, sums: Sums) -> Result<Self, ReadError> {
        let file = files.open(name)?;
        if file.length()? != sums.bytes
            || sums.crc32c.len() as u64 != sums.bytes.div_ceil(PIECE as u64)
        {
            return Err(ReadError::Damaged("a file has another length"));
        }
        let words = sums.crc32c.len().div_ceil(64);
        Ok(Self {
            file,
            sums,
            known: (0..words).map(|_| AtomicU64::new(0)).collect(),
        })
    }

    /// How many bytes it has.
    pub(super) fn bytes(&self) -> u64 {
        self.sums.bytes
    }

    /// Reads bytes that are checked.
    pub(super) fn read(&self, offset: u64, into: &mut [u8]) -> io::Result<()> {
        let end = offset.saturating_add(into.len() as u64);
        if end > self.sums.bytes {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        for piece in offset / PIECE as u64..end.div_ceil(PIECE as u64) {
            self.check(piece as usize)?;
        }
        exactly(&*self.file, offset, into)
    }

    fn check(&self, piece: usize) -> io::Result<()> {
        let damaged = || {
            let offset = piece * PIECE;
            let why = format!("the 64 KiB from {offset} on are not what was written");
            io::Error::new(io::ErrorKind::InvalidData, why)
        };
        let (word, bit) = (piece / 64, 1 << (piece % 64));
        let known = self.known.get(word).ok_or_else(damaged)?;
        if known.load(Ordering::Relaxed) & bit != 0 {
            return Ok(());
        }
        let start = (piece * PIECE) as u64;
        let length = (self.sums.bytes - start).min(PIECE as u64);
        let mut bytes = vec![0; length as usize];
        exactly(&*self.file, start, &mut bytes)?;
        if self.sums.crc32c.get(piece) != Some(&crc32c::crc32c(&bytes)) {
            return Err(damaged());
        }
        known.fetch_or(bit, Ordering::Relaxed);
        Ok(())
    }
}

fn exactly(file: &dyn File, mut offset: u64, mut into: &mut [u8]) -> io::Result<()> {
    while !into.is_empty() {
        match file.read_at(offset, into)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => {
                offset += read as u64;
                into = into.get_mut(read..).unwrap_or_default();
            }
        }
    }
    Ok(())
}

impl Length for Checked {
    fn len(&self) -> u64 {
        self.sums.bytes
    }
}

impl ChunkReader for Checked {
    type T = Cursor<Bytes>;

    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        // Headers of pages are read so, which are short; a page behind it is asked for by its length.
        let length = (self.sums.bytes.saturating_sub(start)).min(PIECE as u64);
        let bytes = self.get_bytes(start, length as usize)?;
        Ok(Cursor::new(bytes))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        let mut bytes = vec![0; length];
        self.read(start, &mut bytes)?;
        Ok(bytes.into())
    }
}
