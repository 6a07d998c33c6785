//! What others than the writer may see of a log: its readers, its durable tail, its counters.

use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::watch;

use crate::{
    Options, ReadError, Reader, Sequence, Stats, block_on::block_on, files::Files, segment::Segment,
};

/// A cheap, cloneable handle on a log for everyone but its writer.
#[derive(Clone)]
pub struct View {
    pub(crate) shared: Arc<Shared>,
}

/// What the writer shares with its views.
pub(crate) struct Shared {
    pub(crate) files: Arc<dyn Files>,
    pub(crate) options: Options,
    /// The kept segments, oldest first; the last is the one being written.
    pub(crate) segments: RwLock<Vec<Arc<Segment>>>,
    pub(crate) stats: Arc<Stats>,
    /// The last durable sequence. The sender lives in the writer, so that its end is seen here.
    pub(crate) durable: watch::Receiver<Sequence>,
}

impl Shared {
    /// The first sequence of the oldest kept segment.
    pub(crate) fn oldest(&self) -> Sequence {
        self.read(|segments| {
            segments
                .first()
                .map_or(Sequence::FIRST, |oldest| oldest.first)
        })
    }

    /// The oldest segment, if all of its records come before `sequence` and it is not the one being written.
    pub(crate) fn oldest_below(&self, sequence: Sequence) -> Option<Arc<Segment>> {
        self.read(|segments| match segments {
            [oldest, following, ..] if following.first <= sequence => Some(Arc::clone(oldest)),
            _ => None,
        })
    }

    /// The segment that holds `sequence`, or will; `None` when that was dropped.
    pub(crate) fn holding(&self, sequence: Sequence) -> Option<Arc<Segment>> {
        self.read(|segments| {
            let after = segments.partition_point(|segment| segment.first <= sequence);
            after
                .checked_sub(1)
                .and_then(|at| segments.get(at))
                .map(Arc::clone)
        })
    }

    /// The oldest kept segment after the one with this number.
    pub(crate) fn following(&self, number: u64) -> Option<Arc<Segment>> {
        self.read(|segments| {
            segments
                .get(segments.partition_point(|segment| segment.number <= number))
                .map(Arc::clone)
        })
    }

    /// The kept segment with this number.
    pub(crate) fn numbered(&self, number: u64) -> Option<Arc<Segment>> {
        self.read(|segments| {
            let at = segments.partition_point(|segment| segment.number < number);
            segments
                .get(at)
                .filter(|segment| segment.number == number)
                .map(Arc::clone)
        })
    }

    pub(crate) fn read<T>(&self, ask: impl FnOnce(&[Arc<Segment>]) -> T) -> T {
        ask(&self.segments.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl View {
    /// A reader whose first record is `from`, which may lie one beyond the durable tail.
    ///
    /// # Errors
    /// [`ReadError::Dropped`] when `from` is no longer kept.
    pub fn reader(&self, from: Sequence) -> Result<Reader, ReadError> {
        Reader::new(Arc::clone(&self.shared), self.tail(), from)
    }

    /// A handle to wait for the durable tail to move.
    pub fn tail(&self) -> Tail {
        Tail {
            durable: self.shared.durable.clone(),
        }
    }

    /// The last durable record; [`Sequence::NONE`] when there never was one.
    pub fn durable(&self) -> Sequence {
        *self.shared.durable.borrow()
    }

    /// The oldest record still kept; one beyond [`View::durable`] when none is.
    pub fn oldest(&self) -> Sequence {
        self.shared.oldest()
    }

    /// The log's counters.
    pub fn stats(&self) -> Arc<Stats> {
        Arc::clone(&self.shared.stats)
    }
}

/// The durable end of a log, to be awaited.
#[derive(Clone)]
pub struct Tail {
    durable: watch::Receiver<Sequence>,
}

/// The log's writer is gone: nothing further will become durable.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the log is closed")]
pub struct Closed;

impl Tail {
    /// The last durable record.
    pub fn durable(&self) -> Sequence {
        *self.durable.borrow()
    }

    /// Waits until `sequence` is durable and says what is durable then.
    ///
    /// # Errors
    /// [`Closed`] when the log closed before that.
    pub async fn reached(&mut self, sequence: Sequence) -> Result<Sequence, Closed> {
        self.durable
            .wait_for(|durable| *durable >= sequence)
            .await
            .map(|durable| *durable)
            .map_err(|_| Closed)
    }

    /// [`Tail::reached`] for plain threads.
    ///
    /// # Errors
    /// [`Closed`] when the log closed before that.
    pub fn reached_blocking(&mut self, sequence: Sequence) -> Result<Sequence, Closed> {
        block_on(self.reached(sequence))
    }
}
