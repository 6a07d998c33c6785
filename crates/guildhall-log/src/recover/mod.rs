//! What is promised after a power loss, and why it holds; and the recovery that keeps the promise.
//!
//! **The promise.** Opening returns every record whose commit was acknowledged and that was not dropped, in order and
//! without a hole, possibly followed by records of the one group that was being committed, in their order and from its
//! beginning. Or it says that the files are damaged, and where. A record whose commit was refused as full or failed never
//! comes back.
//!
//! **What is assumed.** `fdatasync` and a directory's `fsync` do what they say when they succeed; a sector of 512 bytes
//! is written whole or not at all. Nothing else: before its sync, any subset of the sectors of a file's writes, of its
//! lengths, and of a directory's changes may survive.
//!
//! **At most one group is in flight.** A group is one write, then one sync; the next group is written only after that
//! sync succeeded. After a failed write the file is cut back and synced before the error is reported; if that fails, or
//! any sync does, the log takes no more writes. So at a power loss everything before some offset `S` of the last segment
//! is synced, and at most one group lies behind it, of which any subset of sectors survived.
//!
//! **Torn or damaged?** Let `B` be the offset of the first frame that fails its check. Every frame carries the offset of
//! the group it was written with. If any frame behind `B` is whole and its group begins *behind* `B`, then the group that
//! holds `B` had been synced before that frame was written: synced data is lost, the segment is damaged. If all whole
//! frames behind `B` belong to a group that begins at or before `B`, they are survivors of the group in flight, and the
//! tail is cut at `B`. In a segment that has a successor, every group had been synced, so that any bad frame before the
//! successor's first sequence is damage.
//!
//! The one case that cannot be told apart is damage to the last group of a log that was not closed: there is nothing
//! behind it that proves that it was synced. It is treated as torn. [`crate::Log::close`] writes a frame in a group of its
//! own, so that this hole exists only after a crash.
//!
//! **Nothing stale is mistaken for live.** Files are recycled without being zeroed again. A segment's number and a fresh
//! random salt seed its checksums, and a frame must carry exactly the next sequence: frames of an earlier life fail
//! both. Frames of the *same* life that follow the recovered tail (survivors of the torn group) are cut off, and the cut
//! is synced, before the log takes writes.
//!
//! **What is replayed is durable.** After a kill, or after a failed sync, the page cache may hold a group that the disk
//! does not, and may think it clean. Recovery therefore writes the last group again, byte for byte, and syncs it, before
//! it returns.
//!
//! **Segments appear whole.** A new segment's header is written and synced under a spare's name, the file is renamed, and
//! the directory synced, before a record goes into it: a file with a segment's name and a bad header is damage. Segments
//! are dropped oldest first with a directory sync after each, and a dropped file is reused only after that sync: what is
//! kept is always an unbroken run, and a missing number is damage.

mod segments;
mod tail;

use std::{error::Error, io, sync::Arc};

use crate::{
    Damage, Location, OnDamage, OpenError, Opened, Options, Record, Sequence, Start,
    files::Files,
    frame::{self, Kind},
    scan::{Frame, Window},
    segment::{BODY, Segment},
};

/// What recovery hands to the writer.
pub(crate) struct Recovered {
    /// All kept segments, oldest first; empty for a new log.
    pub(crate) segments: Vec<Arc<Segment>>,
    /// Where the last segment's next frame goes.
    pub(crate) end: u64,
    /// The sequence of the next record.
    pub(crate) next: Sequence,
    /// A segment must be begun before anything is written: there is none, or the last one ends before `next`.
    pub(crate) begin: bool,
    /// Number for a segment that must be begun.
    pub(crate) number: u64,
    pub(crate) opened: Opened,
}

/// Whether a record may be replayed: the owner's callback.
pub(crate) type Replay<'a> = dyn FnMut(Record<'_>) -> Result<(), Box<dyn Error + Send + Sync>> + 'a;

/// Recovers the log in a directory, handing records from `start` on to `replay`.
pub(crate) fn recover(
    files: &Arc<dyn Files>,
    options: &Options,
    start: Start,
    replay: &mut Replay<'_>,
) -> Result<Recovered, OpenError> {
    let mut recovery = Recovery {
        files,
        on_damage: options.on_damage,
        window: Window::new(1 << 20),
        start: Sequence::NONE,
        replay,
        replayed: 0,
        quarantined: Vec::new(),
        highest: 0,
        lost: 0,
    };
    recovery.run(start)
}

struct Recovery<'a, 'r> {
    files: &'a Arc<dyn Files>,
    on_damage: OnDamage,
    window: Window,
    /// The first record to replay.
    start: Sequence,
    replay: &'a mut Replay<'r>,
    replayed: u64,
    quarantined: Vec<Damage>,
    /// The highest number of a segment, set aside or not.
    highest: u64,
    /// How many records at most were in segments set aside behind the last readable one: their numbers are not reused.
    lost: u64,
}

impl Recovery<'_, '_> {
    fn run(&mut self, start: Start) -> Result<Recovered, OpenError> {
        // A kill may have left names that the directory does not yet hold for good; what is built on them must not be
        // lost with them.
        self.files
            .sync_dir()
            .map_err(|source| self.failed("syncing", "", source))?;
        let segments = self.segments()?;
        self.start = match start {
            Start::Oldest => segments
                .first()
                .map_or(Sequence::FIRST, |oldest| oldest.first),
            Start::At(sequence) => sequence.max(Sequence::FIRST),
        };
        let Some(oldest) = segments.first().map(|oldest| oldest.first) else {
            return Ok(self.recovered(segments, BODY, self.start.plus(self.lost), true, false, 0));
        };
        if self.start < oldest {
            match self.on_damage {
                // A stream whose oldest segment had to be set aside begins where it can.
                OnDamage::Quarantine => self.start = oldest,
                OnDamage::Refuse => {
                    return Err(OpenError::Dropped {
                        directory: self.files.path(""),
                        wanted: self.start,
                        oldest,
                    });
                }
            }
        }
        let from = segments
            .partition_point(|segment| segment.first <= self.start)
            .saturating_sub(1);
        let (sealed, last) = segments[from..].split_at(segments.len() - from - 1);
        for (segment, following) in sealed.iter().zip(&segments[from + 1..]) {
            self.sealed(segment, following.number == segment.number + 1)?;
        }
        let tail = self.tail(&last[0])?;
        let mut next = tail.next.plus(self.lost);
        if next < self.start {
            let what = format!(
                "the log ends before record {}, which the checkpoint says it held",
                self.start.previous()
            );
            self.damaged(Damage {
                file: self.files.path(&last[0].name()),
                offset: tail.end,
                what,
            })?;
            next = self.start;
        }
        let begin = next > tail.next;
        Ok(self.recovered(segments, tail.end, next, begin, tail.clean, tail.cut))
    }

    fn recovered(
        &mut self,
        segments: Vec<Arc<Segment>>,
        end: u64,
        next: Sequence,
        begin: bool,
        clean: bool,
        cut: u64,
    ) -> Recovered {
        let opened = Opened {
            oldest: segments.first().map_or(next, |oldest| oldest.first),
            last: next.previous(),
            replayed: self.replayed,
            cut,
            clean,
            quarantined: std::mem::take(&mut self.quarantined),
        };
        Recovered {
            segments,
            end,
            next,
            begin,
            number: self.highest + 1,
            opened,
        }
    }

    /// Replays a segment that has a successor, up to that one's first sequence. If that is not the very next segment, the
    /// gap is reported already, and where this one ends is not known.
    fn sealed(&mut self, segment: &Segment, followed: bool) -> Result<(), OpenError> {
        self.window.clear();
        let limit = segment.end();
        let until = segment.until().unwrap_or(segment.first);
        let (mut at, mut next) = (BODY, segment.first);
        while next < until {
            let found = self.expect(segment, at, limit, next)?;
            if let Some(frame) = found {
                next = self.pass(segment, &frame)?;
                at = frame.end();
                continue;
            }
            let further = self.find(segment, at + frame::ALIGN, limit, next)?;
            if further.is_none() && !followed {
                break;
            }
            self.damaged(damage(self.files, segment, at, next))?;
            self.copy_aside(segment, at, further.map_or(limit, |frame| frame.at))?;
            let Some(frame) = further else { break };
            (at, next) = (frame.at, frame.header.sequence);
        }
        Ok(())
    }

    /// The frame at `at`, if it is whole and the one that is due.
    fn expect(
        &mut self,
        segment: &Segment,
        at: u64,
        limit: u64,
        next: Sequence,
    ) -> Result<Option<Frame>, OpenError> {
        let frame = self
            .window
            .frame(&*segment.file, segment.seed, at, limit)
            .map_err(|source| self.failed("reading", &segment.name(), source))?;
        Ok(frame.filter(|frame| frame.header.sequence == next))
    }

    fn find(
        &mut self,
        segment: &Segment,
        from: u64,
        limit: u64,
        lowest: Sequence,
    ) -> Result<Option<Frame>, OpenError> {
        self.window
            .find(&*segment.file, segment.seed, from, limit, lowest)
            .map_err(|source| self.failed("reading", &segment.name(), source))
    }

    /// Takes the frame that was read last: indexes it, replays its record, and says which sequence comes next.
    fn pass(&mut self, segment: &Segment, frame: &Frame) -> Result<Sequence, OpenError> {
        let sequence = frame.header.sequence;
        if frame.header.kind == Kind::Close {
            return Ok(sequence);
        }
        segment.note(sequence, frame.at);
        if sequence >= self.start {
            let payload = self.window.payload(frame);
            let at = Location {
                segment: segment.number,
                offset: frame.at,
            };
            (self.replay)(Record {
                sequence,
                at,
                payload,
            })
            .map_err(|source| OpenError::Replay { sequence, source })?;
            self.replayed += 1;
        }
        Ok(sequence.next())
    }

    /// Damage was found: an error, or one more thing to set aside.
    fn damaged(&mut self, damage: Damage) -> Result<(), OpenError> {
        match self.on_damage {
            OnDamage::Refuse => Err(OpenError::Damaged(damage)),
            OnDamage::Quarantine => {
                tracing::error!(file = %damage.file.display(), offset = damage.offset, what = damage.what, "log damaged");
                self.quarantined.push(damage);
                Ok(())
            }
        }
    }

    /// Keeps a copy of a damaged part for whoever wants to look; the same part is copied once.
    fn copy_aside(&self, segment: &Segment, from: u64, to: u64) -> Result<(), OpenError> {
        let name = format!("{:020}-{from}.damaged", segment.number);
        let copy = || -> io::Result<()> {
            let aside = match self.files.create(&name) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
                aside => aside?,
            };
            let mut chunk = vec![0; 256 << 10];
            let mut at = from;
            while at < to {
                let length =
                    usize::try_from(to - at).map_or(chunk.len(), |left| left.min(chunk.len()));
                let read = segment.file.read_at(at, &mut chunk[..length])?;
                if read == 0 {
                    break;
                }
                aside.write_at(at - from, &chunk[..read])?;
                at += read as u64;
            }
            aside.sync_data()?;
            self.files.sync_dir()
        };
        copy().map_err(|source| self.failed("copying damage to", &name, source))
    }

    fn failed(&self, action: &'static str, name: &str, source: io::Error) -> OpenError {
        failed(self.files, action, name, source)
    }
}

fn failed(
    files: &Arc<dyn Files>,
    action: &'static str,
    name: &str,
    source: io::Error,
) -> OpenError {
    OpenError::Io {
        action,
        file: files.path(name),
        source,
    }
}

/// A bad frame where `next` is due.
fn damage(files: &Arc<dyn Files>, segment: &Segment, offset: u64, next: Sequence) -> Damage {
    let what =
        format!("record {next} was written and synced here, but does not match its checksum");
    Damage {
        file: files.path(&segment.name()),
        offset,
        what,
    }
}
