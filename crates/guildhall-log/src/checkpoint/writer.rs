//! Writing a checkpoint beside the log.

use std::{io, sync::Arc};

use crate::{Sequence, files::Files};

/// A checkpoint being written: feed it through [`io::Write`], then [`Writer::finish`]. Dropped before that, it leaves
/// nothing. May live on another thread than the log's.
pub struct Writer {
    _files: Arc<dyn Files>,
}

impl Writer {
    /// Begins a checkpoint of the state after `sequence`. `name` (letters and `_`) tells several kinds in one directory
    /// apart.
    ///
    /// # Errors
    /// The file could not be created.
    pub fn create(_files: Arc<dyn Files>, _name: &str, _sequence: Sequence) -> io::Result<Self> {
        unimplemented!()
    }

    /// Makes the checkpoint durable under its name, then removes older ones of the same name. Returns its length in
    /// bytes.
    ///
    /// # Errors
    /// Any failed write, sync or rename: then the former checkpoint is still the latest and the log must not be dropped.
    pub fn finish(self) -> io::Result<u64> {
        unimplemented!()
    }
}

impl io::Write for Writer {
    fn write(&mut self, _data: &[u8]) -> io::Result<usize> {
        unimplemented!()
    }

    fn flush(&mut self) -> io::Result<()> {
        unimplemented!()
    }
}
