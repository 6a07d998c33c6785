//! The writer: one owner, synchronous, one write and one fdatasync a group.

mod ahead;
mod begin;
mod retain;

use std::{
    io,
    ops::RangeInclusive,
    path::PathBuf,
    sync::{Arc, PoisonError, RwLock, atomic::Ordering::Relaxed},
};

use begin::{BeginError, begin};
use tokio::sync::watch;

use crate::{
    CommitError, Damage, Location, OpenError, Options, Record, Sequence, Start, Stats, TooLarge,
    View, clock,
    files::Files,
    frame::{self, Kind},
    recover,
    segment::{self, BODY, Segment},
    spare::Spares,
    view::Shared,
};

/// A group's buffer larger than this is given back after the commit.
const KEPT_BUFFER: usize = 4 << 20;

/// An append log's single writer.
///
/// [`Log::stage`] numbers and buffers records; [`Log::commit`] makes everything staged durable at once, or none of it.
pub struct Log {
    shared: Arc<Shared>,
    /// What views and readers take for durable.
    durable: watch::Sender<Sequence>,
    active: Arc<Segment>,
    /// Where the next group goes in the active segment.
    end: u64,
    /// Up to where that segment's blocks are written, be it with zeroes: a sync of what lies below is cheap.
    written: u64,
    /// The sequence of the first staged record.
    first: Sequence,
    /// Where the last committed group begins.
    group_at: Location,
    /// The staged frames, not yet sealed.
    group: Vec<u8>,
    staged: u64,
    /// A sync failed.
    read_only: bool,
    spares: Spares,
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
        files: Arc<dyn Files>,
        mut options: Options,
        start: Start,
        mut replay: impl FnMut(Record<'_>) -> Result<(), Box<dyn std::error::Error + Send + Sync>>,
    ) -> Result<(Self, Opened), OpenError> {
        // A frame states its group's offset in 32 bits, in units of 8.
        options.segment_size = options.segment_size.clamp(2 * BODY, 16 << 30);
        let recovered = recover::recover(&files, &options, start, &mut replay)?;
        let failed = |action, source| OpenError::Io {
            action,
            file: files.path(""),
            source,
        };
        let mut spares = Spares::open(Arc::clone(&files), &options)
            .map_err(|source| failed("taking over the spares of", source))?;
        let mut segments = recovered.segments;
        let (active, end) = match segments.last() {
            Some(last) if !recovered.begin => (Arc::clone(last), recovered.end),
            last => {
                let begun = begin(&*files, &mut spares, recovered.number, recovered.next)
                    .map_err(|error| failed("beginning a segment in", error.into_source()))?;
                if let Some(last) = last {
                    last.seal(recovered.next);
                }
                segments.push(Arc::clone(&begun.segment));
                (begun.segment, BODY)
            }
        };
        let written = active
            .file
            .length()
            .map_err(|source| failed("measuring the last segment in", source))?;
        let stats = Arc::new(Stats::default());
        stats.segments.store(segments.len() as u64, Relaxed);
        stats
            .quarantined
            .store(recovered.opened.quarantined.len() as u64, Relaxed);
        let (durable, watched) = watch::channel(recovered.next.previous());
        let shared = Arc::new(Shared {
            files,
            options,
            segments: RwLock::new(segments),
            stats,
            durable: watched,
        });
        let number = active.number;
        let log = Self {
            shared,
            durable,
            active,
            end,
            written,
            first: recovered.next,
            group_at: Location {
                segment: number,
                offset: end,
            },
            group: Vec::new(),
            staged: 0,
            read_only: false,
            spares,
        };
        Ok((log, recovered.opened))
    }

    /// Adds one record, the concatenation of `parts`, to the group that the next commit writes, and says which sequence
    /// it will have if that commit succeeds.
    ///
    /// # Errors
    /// [`TooLarge`]: nothing was staged.
    pub fn stage(&mut self, parts: &[&[u8]]) -> Result<Sequence, TooLarge> {
        let length = parts.iter().map(|part| part.len()).sum();
        let limit = self.shared.options.max_record.min(u32::MAX as usize);
        if length > limit {
            return Err(TooLarge { length, limit });
        }
        let sequence = self.next_sequence();
        frame::push(&mut self.group, sequence, Kind::Record, parts);
        self.staged += 1;
        Ok(sequence)
    }

    /// The sequence the next staged record will have.
    pub fn next_sequence(&self) -> Sequence {
        self.first.plus(self.staged)
    }

    /// Where the first record of the group that was committed last stands. A record of that group that was staged when
    /// [`Log::staged_bytes`] said `n` stands `n` bytes further on.
    pub fn group_at(&self) -> Location {
        self.group_at
    }

    /// Bytes staged and not yet committed, frame headers included.
    pub fn staged_bytes(&self) -> usize {
        self.group.len()
    }

    /// Forgets what is staged; its sequences are given out again.
    pub fn discard(&mut self) {
        self.group.clear();
        self.group.shrink_to(KEPT_BUFFER);
        self.staged = 0;
    }

    /// Whether an earlier sync failed, so that every commit is refused.
    pub fn is_read_only(&self) -> bool {
        self.read_only
    }

    /// Makes everything staged durable: one write, one fdatasync. `None` when nothing was staged.
    ///
    /// # Errors
    /// After any error nothing staged is kept here and its sequences are given out again. See [`CommitError`] for which
    /// errors later commits recover from; after [`CommitError::Sync`] the group may still be found when reopening.
    pub fn commit(&mut self) -> Result<Option<RangeInclusive<Sequence>>, CommitError> {
        if self.group.is_empty() {
            return Ok(None);
        }
        if let Err(error) = self.write() {
            self.shared.stats.failed_commits.fetch_add(1, Relaxed);
            self.discard();
            return Err(error);
        }
        let committed = self.first..=self.first.plus(self.staged).previous();
        self.active.note(self.first, self.end);
        self.group_at = Location {
            segment: self.active.number,
            offset: self.end,
        };
        self.end += self.group.len() as u64;
        self.active.set_end(self.end);
        self.first = committed.end().next();
        self.discard();
        self.durable.send_replace(*committed.end());
        if self.end > self.shared.options.segment_size / 2 {
            self.spares.prepare();
        }
        Ok(Some(committed))
    }

    /// Writes and syncs the group, in the next segment if this one has no room.
    fn write(&mut self) -> Result<(), CommitError> {
        if self.read_only {
            return Err(CommitError::ReadOnly);
        }
        if self.end > BODY && self.end + self.group.len() as u64 > self.shared.options.segment_size
        {
            self.rotate()?;
        }
        frame::seal(&mut self.group, self.active.seed, self.end);
        if let Err(error) = self.active.file.write_at(self.end, &self.group) {
            return Err(self.undo(error));
        }
        self.write_ahead();
        let began = clock::now();
        if let Err(error) = self.active.file.sync_data() {
            return Err(self.poison(self.path(), error));
        }
        self.shared
            .stats
            .committed(self.staged, self.group.len() as u64, clock::now() - began);
        Ok(())
    }

    /// Zeroes a stretch behind the staged group when that has reached the last one's end; it shares the group's sync.
    fn write_ahead(&mut self) {
        let end = self.end + self.group.len() as u64;
        if end <= self.written || self.shared.options.spares == 0 {
            return;
        }
        let to = ahead::of(end, self.shared.options.segment_size);
        // A failure costs the next commits their speed, and nothing else: zeroes are as good as nothing there.
        let written = self.active.file.write_zeroes(end, to);
        self.written = if written.is_ok() { to } else { end };
    }

    /// Cuts a failed write off and makes that durable, so that a record whose writer was told "no" never comes back.
    fn undo(&mut self, error: io::Error) -> CommitError {
        let file = self.path();
        self.written = self.end;
        let undone = self
            .active
            .file
            .set_len(self.end)
            .and_then(|()| self.active.file.sync_data());
        match undone {
            Ok(()) => refused(file, error),
            Err(source) => self.poison(file, source),
        }
    }

    /// After a failed sync nothing more is written: what the disk holds is no longer known.
    fn poison(&mut self, file: PathBuf, source: io::Error) -> CommitError {
        self.read_only = true;
        self.shared.stats.read_only.store(true, Relaxed);
        CommitError::Sync {
            file,
            source: Arc::new(source),
        }
    }

    /// Begins the next segment.
    fn rotate(&mut self) -> Result<(), CommitError> {
        let files = &*self.shared.files;
        let number = self.active.number + 1;
        let begun = match begin(files, &mut self.spares, number, self.first) {
            Ok(begun) => begun,
            Err(BeginError::Refused(source)) => {
                return Err(refused(files.path(&segment::name(number)), source));
            }
            Err(BeginError::Unknown(source)) => {
                let file = files.path(&segment::name(number));
                return Err(self.poison(file, source));
            }
        };
        let stats = &self.shared.stats;
        stats.rotations.fetch_add(1, Relaxed);
        stats.recycled.fetch_add(u64::from(begun.recycled), Relaxed);
        stats.segments.fetch_add(1, Relaxed);
        // Readers find the new segment in the list as soon as the old one says that it ends.
        self.shared
            .segments
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .push(Arc::clone(&begun.segment));
        self.active.seal(self.first);
        self.active = begun.segment;
        self.end = BODY;
        // Where the length is not known, the first commit finds out what is there.
        self.written = self.active.file.length().unwrap_or(BODY);
        Ok(())
    }

    /// What others may see of this log.
    pub fn view(&self) -> View {
        View {
            shared: Arc::clone(&self.shared),
        }
    }

    /// Commits what is staged and marks the log's end, so that the next opening can tell damage in the last group from
    /// a torn tail. A log that is only dropped loses nothing durable.
    ///
    /// # Errors
    /// As [`Log::commit`].
    pub fn close(mut self) -> Result<(), CommitError> {
        self.commit()?;
        frame::push(&mut self.group, self.first, Kind::Close, &[]);
        self.write()
    }

    fn path(&self) -> PathBuf {
        self.shared.files.path(&self.active.name())
    }
}

/// A write that failed and left nothing behind.
fn refused(file: PathBuf, error: io::Error) -> CommitError {
    let full = matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    );
    let source = Arc::new(error);
    if full {
        CommitError::Full { file, source }
    } else {
        CommitError::Write { file, source }
    }
}
