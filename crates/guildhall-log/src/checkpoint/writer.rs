//! Writing a checkpoint beside the log.

use std::{io, sync::Arc};

use super::format::{self, BLOCK, BLOCK_HEADER, Header};
use crate::{
    Sequence,
    files::{File, Files},
};

/// Bytes between two syncs while writing, so that the last one does not hold up the log's own for long.
const SYNC_EVERY: u64 = 4 << 20;

/// A checkpoint being written: feed it through [`io::Write`], then [`Writer::finish`]. Dropped before that, it leaves
/// nothing. May live on another thread than the log's.
pub struct Writer {
    files: Arc<dyn Files>,
    file: Arc<dyn File>,
    name: String,
    sequence: Sequence,
    seed: u32,
    /// The block being filled: room for its header, then its payload.
    block: Vec<u8>,
    blocks: u64,
    at: u64,
    synced: u64,
    finished: bool,
}

impl Writer {
    /// Begins a checkpoint of the state after `sequence`. `name` (letters and `_`) tells several kinds in one directory
    /// apart. Unfinished ones of this name that an earlier run left are removed.
    ///
    /// # Errors
    /// The file could not be created.
    pub fn create(files: Arc<dyn Files>, name: &str, sequence: Sequence) -> io::Result<Self> {
        for left in files
            .list()?
            .iter()
            .filter(|file| format::is_unfinished(name, file))
        {
            files.remove(left)?;
        }
        let file = files.create(&format::unfinished_name(name, sequence))?;
        let header = Header::new(sequence);
        let mut writer = Self {
            files,
            file,
            name: name.to_owned(),
            sequence,
            seed: header.seed(),
            block: Vec::with_capacity(BLOCK_HEADER + BLOCK),
            blocks: 0,
            at: 0,
            synced: 0,
            finished: false,
        };
        writer.file.write_at(0, &header.encode())?;
        writer.at = format::HEADER as u64;
        writer.block.resize(BLOCK_HEADER, 0);
        Ok(writer)
    }

    /// Makes the checkpoint durable under its name, then removes older ones of the same name. Returns its length in
    /// bytes.
    ///
    /// # Errors
    /// Any failed write, sync or rename: then the former checkpoint is still the latest and the log must not be dropped.
    pub fn finish(mut self) -> io::Result<u64> {
        if self.block.len() > BLOCK_HEADER {
            self.write_block()?;
        }
        self.write_block()?;
        self.file.sync_data()?;
        self.files.rename(
            &format::unfinished_name(&self.name, self.sequence),
            &format::file_name(&self.name, self.sequence),
        )?;
        self.finished = true;
        self.files.sync_dir()?;
        for file in self.files.list()? {
            if format::sequence_of(&self.name, &file)
                .is_some_and(|sequence| sequence < self.sequence)
            {
                self.files.remove(&file)?;
            }
        }
        Ok(self.at)
    }

    fn write_block(&mut self) -> io::Result<()> {
        format::seal_block(&mut self.block, self.seed, self.blocks);
        self.file.write_at(self.at, &self.block)?;
        self.at += self.block.len() as u64;
        self.blocks += 1;
        self.block.truncate(BLOCK_HEADER);
        if self.at - self.synced >= SYNC_EVERY {
            self.file.sync_data()?;
            self.synced = self.at;
        }
        Ok(())
    }
}

impl io::Write for Writer {
    /// Takes all of `data`. After an error the checkpoint is worthless: drop it.
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let mut rest = data;
        while !rest.is_empty() {
            let room = BLOCK_HEADER + BLOCK - self.block.len();
            let (taken, left) = rest.split_at(room.min(rest.len()));
            self.block.extend_from_slice(taken);
            rest = left;
            if self.block.len() == BLOCK_HEADER + BLOCK {
                self.write_block()?;
            }
        }
        Ok(data.len())
    }

    /// Does nothing: only [`Writer::finish`] makes anything of it durable.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if !self.finished {
            // Left behind, it is removed when the next one is begun.
            let _ = self
                .files
                .remove(&format::unfinished_name(&self.name, self.sequence));
        }
    }
}
