//! The last segment: where it ends, whether what lies behind is torn or damage, and making what is kept durable.

use std::io;

use super::{Recovery, damage, failed};
use crate::{
    OpenError, Sequence,
    frame::{self, Header, Kind},
    scan::Frame,
    segment::{BODY, Segment},
};

/// How the last segment ends.
pub(super) struct Tail {
    /// Where the next frame goes.
    pub(super) end: u64,
    /// The sequence of the next record.
    pub(super) next: Sequence,
    /// The log was closed here in order.
    pub(super) clean: bool,
    /// Bytes of torn records that were cut.
    pub(super) cut: u64,
}

impl Recovery<'_, '_> {
    /// Replays the last segment, cuts its torn tail, and makes what is kept durable.
    pub(super) fn tail(&mut self, segment: &Segment) -> Result<Tail, OpenError> {
        self.window.clear();
        let length = segment.end();
        let (mut at, mut next) = (BODY, segment.first);
        let mut last: Option<Frame> = None;
        let torn_end = loop {
            if let Some(frame) = self.expect(segment, at, length, next)? {
                next = self.pass(segment, &frame)?;
                at = frame.end();
                last = Some(frame);
                continue;
            }
            match self.judge(segment, at, length, next)? {
                Verdict::Torn { end } => break end,
                Verdict::Damaged { further } => {
                    self.damaged(damage(self.files, segment, at, next))?;
                    self.copy_aside(segment, at, further.at)?;
                    (at, next) = (further.at, further.header.sequence);
                }
            }
        };
        let group = last.map(|frame| frame.header.group);
        self.settle(segment, group, at, length)
            .map_err(|source| self.failed("cutting", &segment.name(), source))?;
        segment.set_end(at);
        let cut = torn_end - at;
        if cut > 0 {
            tracing::info!(
                file = segment.name(),
                offset = at,
                bytes = cut,
                "cut the torn tail of the log"
            );
        }
        let clean = cut == 0 && last.is_some_and(|frame| frame.header.kind == Kind::Close);
        Ok(Tail {
            end: at,
            next,
            clean,
            cut,
        })
    }

    /// Decides what a frame at `bad` that is not the due one means. The argument is in the module's documentation.
    fn judge(
        &mut self,
        segment: &Segment,
        bad: u64,
        length: u64,
        next: Sequence,
    ) -> Result<Verdict, OpenError> {
        let mut end = bad + self.torn_frame(segment, bad, length, next)?;
        let mut first = None;
        let mut from = bad + frame::ALIGN;
        while let Some(found) = self.find(segment, from, length, next)? {
            let further = *first.get_or_insert(found);
            if found.header.group > bad {
                return Ok(Verdict::Damaged { further });
            }
            end = end.max(found.end());
            from = found.end();
        }
        Ok(Verdict::Torn { end })
    }

    /// Length of the torn record at `bad`, as far as its header shows it: 0 when nothing of it arrived.
    fn torn_frame(
        &mut self,
        segment: &Segment,
        bad: u64,
        length: u64,
        next: Sequence,
    ) -> Result<u64, OpenError> {
        let files = self.files;
        let bytes = self
            .window
            .read(&*segment.file, bad, frame::HEADER, length)
            .map_err(|source| failed(files, "reading", &segment.name(), source))?;
        let header = Header::parse(bytes, bad).filter(|header| header.sequence == next);
        Ok(header.map_or(0, |header| header.frame_length().min(length - bad)))
    }

    /// Cuts everything behind `end` unless it is zeroes, writes the last group anew and syncs. Crashing in between
    /// leaves a state that recovers the same.
    fn settle(
        &mut self,
        segment: &Segment,
        group: Option<u64>,
        end: u64,
        length: u64,
    ) -> io::Result<()> {
        let file = &*segment.file;
        if !self.zeroes(segment, end, length)? {
            file.set_len(end)?;
        }
        if let Some(mut at) = group {
            while at < end {
                let bytes = self.window.read(file, at, 1 << 20, end)?;
                if bytes.is_empty() {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                file.write_at(at, bytes)?;
                at += bytes.len() as u64;
            }
        }
        file.sync_data()
    }

    fn zeroes(&mut self, segment: &Segment, from: u64, to: u64) -> io::Result<bool> {
        let mut at = from;
        while at < to {
            let bytes = self.window.read(&*segment.file, at, 1 << 20, to)?;
            if bytes.iter().any(|byte| *byte != 0) {
                return Ok(false);
            }
            if bytes.is_empty() {
                break;
            }
            at += bytes.len() as u64;
        }
        Ok(true)
    }
}

/// What a bad frame in the last segment means.
enum Verdict {
    /// It belongs to the group in flight, whose last trace ends at `end`: cut.
    Torn { end: u64 },
    /// It was synced and is lost; `further` is the next whole frame.
    Damaged { further: Frame },
}
