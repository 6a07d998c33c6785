//! Reading a checkpoint back.

use std::{io, sync::Arc};

use super::format::{self, BLOCK, BLOCK_HEADER, Header};
use crate::{
    Damage, OpenError, Sequence,
    files::{File, Files},
    scan::Window,
    segment::BadHeader,
};

/// The newest checkpoint called `name`, or `None` when there is none. Its header is checked here, its blocks as they
/// are read.
///
/// # Errors
/// [`OpenError::Damaged`], [`OpenError::Version`], [`OpenError::Io`].
pub fn latest(files: &Arc<dyn Files>, name: &str) -> Result<Option<Reader>, OpenError> {
    let failed = |action, file| {
        move |source| OpenError::Io {
            action,
            file,
            source,
        }
    };
    let names = files.list().map_err(failed("listing", files.path("")))?;
    let Some(sequence) = names
        .iter()
        .filter_map(|file| format::sequence_of(name, file))
        .max()
    else {
        return Ok(None);
    };
    let file_name = format::file_name(name, sequence);
    let path = files.path(&file_name);
    let file = files
        .open(&file_name)
        .map_err(failed("opening", path.clone()))?;
    let length = file.length().map_err(failed("reading", path.clone()))?;
    let mut bytes = [0; format::HEADER];
    let read = file
        .read_at(0, &mut bytes)
        .map_err(failed("reading", path.clone()))?;
    match Header::decode(&bytes[..read]) {
        Ok(header) if header.sequence == sequence => Ok(Some(Reader {
            path,
            file,
            length,
            sequence,
            seed: header.seed(),
            window: Window::new(4 * (BLOCK + BLOCK_HEADER)),
            at: format::HEADER as u64,
            blocks: 0,
            left: 0,
            ended: false,
        })),
        Err(BadHeader::Version(found)) => Err(OpenError::Version {
            file: path,
            found,
            supported: format::VERSION,
        }),
        _ => {
            let what = "its header is not the one that was written".to_owned();
            Err(OpenError::Damaged(Damage {
                file: path,
                offset: 0,
                what,
            }))
        }
    }
}

/// A checkpoint's bytes, as they were written. Damage is an [`io::Error`] of kind `InvalidData` whose source is a
/// [`crate::Damage`]; the end of the stream is reported only after the closing block was found whole.
pub struct Reader {
    path: std::path::PathBuf,
    file: Arc<dyn File>,
    length: u64,
    sequence: Sequence,
    seed: u32,
    window: Window,
    /// Offset of the next block.
    at: u64,
    blocks: u64,
    /// Bytes of the block before `at` that were not handed out yet.
    left: usize,
    ended: bool,
}

impl Reader {
    /// The state is the one after this record.
    pub fn sequence(&self) -> Sequence {
        self.sequence
    }

    /// Length of the file in bytes.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Reads and checks the next block.
    fn next_block(&mut self) -> io::Result<()> {
        let header = self
            .window
            .read(&*self.file, self.at, BLOCK_HEADER, self.length)?;
        let payload = (header.len() == BLOCK_HEADER)
            .then(|| format::block_length(header))
            .flatten();
        let Some(payload) = payload else {
            return Err(self.damaged());
        };
        let length = BLOCK_HEADER + payload;
        let block = self
            .window
            .read(&*self.file, self.at, length, self.length)?;
        if block.len() != length || !format::verify_block(block, self.seed, self.blocks) {
            return Err(self.damaged());
        }
        self.at += length as u64;
        self.blocks += 1;
        self.left = payload;
        self.ended = payload == 0;
        Ok(())
    }

    fn damaged(&self) -> io::Error {
        let what = format!("block {} is not the one that was written", self.blocks);
        io::Error::new(
            io::ErrorKind::InvalidData,
            Damage {
                file: self.path.clone(),
                offset: self.at,
                what,
            },
        )
    }
}

impl io::Read for Reader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 && !self.ended {
            self.next_block()?;
        }
        let length = self.left.min(buffer.len());
        let bytes =
            self.window
                .read(&*self.file, self.at - self.left as u64, length, self.length)?;
        buffer[..length].copy_from_slice(bytes);
        self.left -= length;
        Ok(length)
    }
}
