//! Reading a checkpoint back.

use std::{io, sync::Arc};

use crate::{OpenError, Sequence, files::Files};

/// The newest checkpoint called `name`, or `None` when there is none. Its header is checked here, its blocks as they
/// are read.
///
/// # Errors
/// [`OpenError::Damaged`], [`OpenError::Version`], [`OpenError::Io`].
pub fn latest(_files: &Arc<dyn Files>, _name: &str) -> Result<Option<Reader>, OpenError> {
    unimplemented!()
}

/// A checkpoint's bytes, as they were written. Damage is an [`io::Error`] of kind `InvalidData` whose source is a
/// [`crate::Damage`]; the end of the stream is reported only after the closing block was found whole.
pub struct Reader {}

impl Reader {
    /// The state is the one after this record.
    pub fn sequence(&self) -> Sequence {
        unimplemented!()
    }
}

impl io::Read for Reader {
    fn read(&mut self, _buffer: &mut [u8]) -> io::Result<usize> {
        unimplemented!()
    }
}
