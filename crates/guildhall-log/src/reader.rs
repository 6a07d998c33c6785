//! Reading records back: from any kept sequence, across segments, following the durable tail.

use std::{io, sync::Arc};

use crate::{
    Damage, Location, OnDamage, ReadError, Sequence, Tail,
    block_on::block_on,
    frame::{self, Kind},
    scan::{Frame, Window},
    segment::Segment,
    view::Shared,
};

/// Read-ahead of a reader that has come far behind the tail, in bytes; one that follows the tail reads what is there.
const READ_AHEAD: usize = 256 << 10;

/// One record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Record<'a> {
    /// Its number.
    pub sequence: Sequence,
    /// Where it stands.
    pub at: Location,
    /// Its bytes, the parts it was staged from joined.
    pub payload: &'a [u8],
}

/// A cursor over a log. It never shows a record that is not durable, and never passes over one in silence: sequences are
/// contiguous, except over damage in a log that quarantines.
///
/// Reading is a plain file read on the calling thread, near the tail from the page cache; whoever reads far back from an
/// async task does so on a blocking thread.
pub struct Reader {
    shared: Arc<Shared>,
    tail: Tail,
    /// The first record that is wanted; those before it are passed over on the way.
    from: Sequence,
    segment: Arc<Segment>,
    /// Where the frame of `next` begins.
    at: u64,
    next: Sequence,
    window: Window,
    /// The frame that [`Reader::advance`] stopped at.
    current: Option<Frame>,
}

impl Reader {
    pub(crate) fn new(shared: Arc<Shared>, tail: Tail, from: Sequence) -> Result<Self, ReadError> {
        let from = from.max(Sequence::FIRST);
        let Some(segment) = shared.holding(from) else {
            return Err(ReadError::Dropped {
                wanted: from,
                oldest: shared.oldest(),
            });
        };
        let (next, at) = segment.seek(from);
        Ok(Self {
            shared,
            tail,
            from,
            segment,
            at,
            next,
            window: Window::new(READ_AHEAD),
            current: None,
        })
    }

    /// The sequence of the next record.
    pub fn position(&self) -> Sequence {
        self.from.max(self.next)
    }

    /// The next record, or `None` at the durable tail.
    ///
    /// # Errors
    /// [`ReadError::Dropped`] when the record was dropped meanwhile, [`ReadError::Damaged`], [`ReadError::Io`].
    pub fn try_next(&mut self) -> Result<Option<Record<'_>>, ReadError> {
        Ok(if self.advance()? { self.record() } else { None })
    }

    /// The next record, awaited when it is not there yet. Cancel-safe.
    ///
    /// # Errors
    /// As [`Reader::try_next`]; [`ReadError::Closed`] when the log closed and all of it has been read.
    pub async fn next(&mut self) -> Result<Record<'_>, ReadError> {
        while !self.advance()? {
            let wanted = self.position();
            self.tail
                .reached(wanted)
                .await
                .map_err(|_| ReadError::Closed)?;
        }
        self.record().ok_or(ReadError::Closed)
    }

    /// [`Reader::next`] for plain threads.
    ///
    /// # Errors
    /// As [`Reader::next`].
    pub fn next_blocking(&mut self) -> Result<Record<'_>, ReadError> {
        block_on(self.next())
    }

    fn record(&self) -> Option<Record<'_>> {
        let frame = self.current.as_ref()?;
        Some(Record {
            sequence: frame.header.sequence,
            at: Location {
                segment: self.segment.number,
                offset: frame.at,
            },
            payload: self.window.payload(frame),
        })
    }

    /// Moves to the next wanted record; false at the durable tail.
    fn advance(&mut self) -> Result<bool, ReadError> {
        loop {
            // Read before the segment's end: what is durable by then lies before that end.
            let durable = self.tail.durable();
            if durable < self.position() {
                return Ok(false);
            }
            if self.segment.until().is_some_and(|until| self.next >= until) {
                self.follow()?;
                continue;
            }
            let limit = self.segment.end();
            let found = self
                .window
                .frame(&*self.segment.file, self.segment.seed, self.at, limit)
                .map_err(|error| self.failed(error))?;
            let Some(frame) = found.filter(|frame| self.is_due(frame)) else {
                self.skip(limit, durable)?;
                continue;
            };
            self.at = frame.end();
            self.next = frame.header.sequence;
            if frame.header.kind == Kind::Close {
                continue;
            }
            self.next = self.next.next();
            if frame.header.sequence >= self.from {
                self.current = found;
                return Ok(true);
            }
        }
    }

    /// Whether this frame may come now: exactly the next one, or over damage that is passed over, a later one.
    fn is_due(&self, frame: &Frame) -> bool {
        match self.shared.options.on_damage {
            OnDamage::Refuse => frame.header.sequence == self.next,
            OnDamage::Quarantine => frame.header.sequence >= self.next,
        }
    }

    /// Goes on in the next segment.
    fn follow(&mut self) -> Result<(), ReadError> {
        let following = self.shared.following(self.segment.number);
        let broken = following
            .as_ref()
            .is_none_or(|following| following.first != self.next);
        let Some(following) =
            following.filter(|_| !broken || self.shared.options.on_damage == OnDamage::Quarantine)
        else {
            return Err(ReadError::Dropped {
                wanted: self.position(),
                oldest: self.shared.oldest(),
            });
        };
        self.next = following.first;
        self.at = crate::segment::BODY;
        self.segment = following;
        self.window.clear();
        Ok(())
    }

    /// A bad frame: damage, or in a log that quarantines a reason to look for the next good one.
    fn skip(&mut self, limit: u64, durable: Sequence) -> Result<(), ReadError> {
        if self.shared.options.on_damage == OnDamage::Refuse {
            return Err(ReadError::Damaged(Damage {
                file: self.shared.files.path(&self.segment.name()),
                offset: self.at,
                what: format!("record {} does not match its checksum", self.next),
            }));
        }
        let further = self
            .window
            .find(
                &*self.segment.file,
                self.segment.seed,
                self.at + frame::ALIGN,
                limit,
                self.next,
            )
            .map_err(|error| self.failed(error))?;
        match further {
            Some(frame) => (self.at, self.next) = (frame.at, frame.header.sequence),
            None => match self.segment.until() {
                Some(until) => self.next = until,
                // The rest of the segment being written is unreadable: wait for what comes.
                None => (self.at, self.next) = (limit, durable.next()),
            },
        }
        Ok(())
    }

    fn failed(&self, error: io::Error) -> ReadError {
        ReadError::Io {
            file: self.shared.files.path(&self.segment.name()),
            source: Arc::new(error),
        }
    }
}
