//! Files that are ready to become segments: pre-zeroed ahead of need, or recycled from dropped segments.
//!
//! A spare's content is of no consequence (see [`crate::recover`]); that its blocks are allocated and written is, for then
//! a sync into it need not commit the file system's journal.

mod worker;

use std::{io, sync::Arc};

use crate::{
    Options, Zeroing,
    files::{File, Files},
};
use worker::Worker;

/// What a spare's name ends with.
const SUFFIX: &str = ".spare";

/// A file that may become a segment.
pub(crate) struct Spare {
    pub(crate) name: String,
    pub(crate) file: Arc<dyn File>,
}

/// The spares of one log.
pub(crate) struct Spares {
    files: Arc<dyn Files>,
    size: u64,
    wanted: usize,
    /// None when the zeroing is done inline, or when no thread was given.
    worker: Option<Worker>,
    ready: Vec<Spare>,
    /// Handed to the worker and not back yet.
    pending: usize,
    /// The last attempt failed; the next waits for the next segment, so that a full disk is not tried at every commit.
    failed: bool,
    next: u64,
}

impl Spares {
    /// Takes over the spares that an earlier run left, as many as are wanted, and removes the others.
    pub(crate) fn open(files: Arc<dyn Files>, options: &Options) -> io::Result<Self> {
        let mut spares = Self {
            size: options.segment_size,
            wanted: options.spares,
            worker: match options.zeroing {
                Zeroing::Background if options.spares > 0 => {
                    Some(Worker::new(Arc::clone(&files), options.segment_size))
                }
                _ => None,
            },
            ready: Vec::new(),
            pending: 0,
            failed: false,
            next: 0,
            files,
        };
        let mut names = spares.files.list()?;
        names.sort_unstable();
        for name in names {
            let Some(number) = name
                .strip_suffix(SUFFIX)
                .and_then(|digits| digits.parse::<u64>().ok())
            else {
                continue;
            };
            spares.next = spares.next.max(number + 1);
            let file = spares.files.open(&name)?;
            if spares.ready.len() < spares.wanted && file.length()? == spares.size {
                spares.ready.push(Spare { name, file });
            } else {
                spares.files.remove(&name)?;
            }
        }
        Ok(spares)
    }

    /// A ready spare, if there is one.
    pub(crate) fn take(&mut self) -> Option<Spare> {
        self.collect();
        self.failed = false;
        self.ready.pop()
    }

    /// A name for a file that is to become a segment or a spare.
    pub(crate) fn name(&mut self) -> String {
        let name = format!("{:020}{SUFFIX}", self.next);
        self.next += 1;
        name
    }

    /// Whether another spare would be kept.
    pub(crate) fn has_room(&self) -> bool {
        self.ready.len() + self.pending < self.wanted
    }

    /// Sees to it that a spare is ready before the segment being written is full. Failures only cost speed.
    pub(crate) fn prepare(&mut self) {
        if !self.has_room() || self.failed {
            return;
        }
        self.collect();
        // What a spare takes must not be what keeps the log from growing.
        let roomy = self
            .files
            .space_left()
            .is_ok_and(|left| left / 4 >= self.size);
        if !roomy {
            self.failed = true;
            return;
        }
        let name = self.name();
        match self.files.create(&name) {
            Ok(file) => self.fill(Spare { name, file }),
            Err(_) => self.failed = true,
        }
    }

    /// Takes a dropped segment's file, whose new name is durable already.
    pub(crate) fn recycle(&mut self, spare: Spare) {
        match spare.file.length() {
            Ok(length) if length == self.size => self.ready.push(spare),
            Ok(length) if length < self.size => self.fill(spare),
            // It held a group of its own that was longer than a segment.
            Ok(_) if spare.file.set_len(self.size).is_ok() => self.ready.push(spare),
            _ => self.discard(&spare),
        }
    }

    /// Fills the file up with zeroes to a segment's length.
    fn fill(&mut self, spare: Spare) {
        if let Some(worker) = &self.worker {
            match worker.fill(spare) {
                Ok(()) => self.pending += 1,
                Err(spare) => self.discard(&spare),
            }
            return;
        }
        let filled = spare
            .file
            .length()
            .and_then(|length| spare.file.write_zeroes(length, self.size))
            .and_then(|()| spare.file.sync_data());
        match filled {
            Ok(()) => self.ready.push(spare),
            Err(_) => self.discard(&spare),
        }
    }

    /// Fetches what the worker has finished.
    fn collect(&mut self) {
        let Some(worker) = &self.worker else { return };
        while let Some(finished) = worker.finished() {
            self.pending -= 1;
            match finished {
                Some(spare) => self.ready.push(spare),
                None => self.failed = true,
            }
        }
    }

    fn discard(&mut self, spare: &Spare) {
        self.failed = true;
        // Left behind, it is found and judged again at the next opening.
        let _ = self.files.remove(&spare.name);
    }
}
