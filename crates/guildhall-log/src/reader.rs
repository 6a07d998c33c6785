//! Reading records back: from any kept sequence, across segments, following the durable tail.

use std::sync::Arc;

use crate::{ReadError, Sequence, view::Shared};

/// One record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Record<'a> {
    /// Its number.
    pub sequence: Sequence,
    /// Its bytes, the parts it was staged from joined.
    pub payload: &'a [u8],
}

/// A cursor over a log. It never shows a record that is not durable, and never passes over one in silence: sequences are
/// contiguous, except over damage in a log that quarantines.
///
/// Reading is a plain file read on the calling thread, near the tail from the page cache; whoever reads far back from an
/// async task does so on a blocking thread.
pub struct Reader {
    _shared: Arc<Shared>,
}

impl Reader {
    pub(crate) fn new(_shared: Arc<Shared>, _from: Sequence) -> Result<Self, ReadError> {
        unimplemented!()
    }

    /// The sequence of the next record.
    pub fn position(&self) -> Sequence {
        unimplemented!()
    }

    /// The next record, or `None` at the durable tail.
    ///
    /// # Errors
    /// [`ReadError::Dropped`] when the record was dropped meanwhile, [`ReadError::Damaged`], [`ReadError::Io`].
    pub fn try_next(&mut self) -> Result<Option<Record<'_>>, ReadError> {
        unimplemented!()
    }

    /// The next record, awaited when it is not there yet. Cancel-safe.
    ///
    /// # Errors
    /// As [`Reader::try_next`]; [`ReadError::Closed`] when the log closed and all of it has been read.
    pub async fn next(&mut self) -> Result<Record<'_>, ReadError> {
        unimplemented!()
    }

    /// [`Reader::next`] for plain threads.
    ///
    /// # Errors
    /// As [`Reader::next`].
    pub fn next_blocking(&mut self) -> Result<Record<'_>, ReadError> {
        unimplemented!()
    }
}
