//! The writer: one owner, synchronous, one write and one fdatasync a group.

use std::{ops::RangeInclusive, sync::Arc};

use crate::{
    CommitError, Damage, OpenError, Options, Record, Sequence, Start, TooLarge, View, files::Files,
};

/// An append log's single writer.
///
/// [`Log::stage`] numbers and buffers records; [`Log::commit`] makes everything staged durable at once, or none of it.
pub struct Log {
    view: View,
}

/// What opening a log found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Opened {
    /// The oldest record kept; one beyond `last` when none is.
    pub oldest: Sequence,
    /// The last record kept.
    pub last: Sequence,
    /// Records handed to the owner.
    pub replayed: u64,
    /// Bytes of a torn tail that were cut.
    pub cut: u64,
    /// The log was closed in order, so that no tail could have been torn.
    pub clean: bool,
    /// What was set aside ([`crate::OnDamage::Quarantine`]); empty otherwise.
    pub quarantined: Vec<Damage>,
}

impl Log {
    /// Recovers the log in `files` (an empty directory becomes an empty log) and hands every record from `start` on to
    /// `replay`, in order. What was replayed is durable when this returns.
    ///
    /// # Errors
    /// [`OpenError`]; `replay`'s own error is passed on as [`OpenError::Replay`].
    pub fn open(
        _files: Arc<dyn Files>,
        _options: Options,
        _start: Start,
        _replay: impl FnMut(Record<'_>) -> Result<(), Box<dyn std::error::Error + Send + Sync>>,
    ) -> Result<(Self, Opened), OpenError> {
        unimplemented!()
    }

    /// Adds one record, the concatenation of `parts`, to the group that the next commit writes, and says which sequence
    /// it will have if that commit succeeds.
    ///
    /// # Errors
    /// [`TooLarge`]: nothing was staged.
    pub fn stage(&mut self, _parts: &[&[u8]]) -> Result<Sequence, TooLarge> {
        unimplemented!()
    }

    /// The sequence the next staged record will have.
    pub fn next_sequence(&self) -> Sequence {
        unimplemented!()
    }

    /// Bytes staged and not yet committed, frame headers included.
    pub fn staged_bytes(&self) -> usize {
        unimplemented!()
    }

    /// Forgets what is staged; its sequences are given out again.
    pub fn discard(&mut self) {
        unimplemented!()
    }

    /// Makes everything staged durable: one write, one fdatasync. `None` when nothing was staged.
    ///
    /// # Errors
    /// After any error nothing staged is kept here and its sequences are given out again. See [`CommitError`] for which
    /// errors later commits recover from; after [`CommitError::Sync`] the group may still be found when reopening.
    pub fn commit(&mut self) -> Result<Option<RangeInclusive<Sequence>>, CommitError> {
        unimplemented!()
    }

    /// Drops whole segments whose records all come before `sequence`, oldest first, durably. The segment being written
    /// always stays. Returns the oldest record kept afterwards.
    ///
    /// # Errors
    /// [`CommitError::Write`] when a file could not be removed (what was dropped until then stays dropped), or
    /// [`CommitError::Sync`] as for commits.
    pub fn drop_before(&mut self, _sequence: Sequence) -> Result<Sequence, CommitError> {
        unimplemented!()
    }

    /// What others may see of this log.
    pub fn view(&self) -> View {
        self.view.clone()
    }

    /// Commits what is staged and marks the log's end, so that the next opening can tell damage in the last group from
    /// a torn tail. A log that is only dropped loses nothing durable.
    ///
    /// # Errors
    /// As [`Log::commit`].
    pub fn close(self) -> Result<(), CommitError> {
        unimplemented!()
    }
}
