//! The latest revisions, for watchers that resume: bounded by number, bytes and age.
//!
//! It lives in memory and is filled again from the log at start, which therefore keeps its segments back to the oldest
//! revision here. So a restart costs no watcher its place, and a lagging watcher never reads a file.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use guildhall_log::Sequence;

use crate::{Event, WatchBatch};

/// How much history is kept for watchers. Whatever bound is met first holds.
#[derive(Clone, Debug)]
pub struct HistoryOptions {
    /// At most so many revisions. Default 100,000.
    pub revisions: usize,
    /// At most so many bytes of keys and values (some of which current entries share). Default 16 MiB.
    pub bytes: usize,
    /// Nothing older than this, seen when something new is committed; counted afresh after a restart. Default 1 hour.
    pub age: Duration,
}

impl Default for HistoryOptions {
    fn default() -> Self {
        Self {
            revisions: 100_000,
            bytes: 16 << 20,
            age: Duration::from_secs(3600),
        }
    }
}

/// Memory that an event takes besides its key and value, roughly.
const EVENT_OVERHEAD: usize = 350;

#[derive(Debug)]
struct Kept {
    batch: WatchBatch,
    sequence: Sequence,
    at: Instant,
    bytes: usize,
}

/// A contiguous run of revisions that ends with the latest one.
#[derive(Debug)]
pub(crate) struct History {
    options: HistoryOptions,
    kept: VecDeque<Kept>,
    bytes: usize,
    /// The last revision, kept or not.
    head: u64,
}

impl History {
    /// No revision kept, the last one being `head`.
    pub(crate) fn new(options: HistoryOptions, head: u64) -> Self {
        Self {
            options,
            kept: VecDeque::new(),
            bytes: 0,
            head,
        }
    }

    /// The last revision.
    pub(crate) fn head(&self) -> u64 {
        self.head
    }

    /// The last revision that is no longer kept.
    pub(crate) fn compacted(&self) -> u64 {
        self.head - self.kept.len() as u64
    }

    /// The log record of the oldest revision kept.
    pub(crate) fn oldest_record(&self) -> Option<Sequence> {
        self.kept.front().map(|kept| kept.sequence)
    }

    /// Adds the next revision, which `sequence` of the log holds.
    pub(crate) fn push(&mut self, batch: WatchBatch, sequence: Sequence, now: Instant) {
        debug_assert_eq!(batch.revision, self.head + 1, "revisions are contiguous");
        let bytes = batch.events.iter().map(event_bytes).sum();
        self.bytes += bytes;
        self.head = batch.revision;
        self.kept.push_back(Kept {
            batch,
            sequence,
            at: now,
            bytes,
        });
    }

    /// Drops what is beyond the bounds.
    pub(crate) fn trim(&mut self, now: Instant) {
        while let Some(oldest) = self.kept.front() {
            let within = self.kept.len() <= self.options.revisions
                && self.bytes <= self.options.bytes
                && now.saturating_duration_since(oldest.at) <= self.options.age;
            if within {
                break;
            }
            self.drop_oldest();
        }
    }

    /// Drops revisions up to and including this one.
    pub(crate) fn compact(&mut self, revision: u64) {
        while self.compacted() < revision && !self.kept.is_empty() {
            self.drop_oldest();
        }
    }

    fn drop_oldest(&mut self) {
        if let Some(oldest) = self.kept.pop_front() {
            self.bytes -= oldest.bytes;
        }
    }

    /// The revisions from this one on; `None` when it is no longer kept.
    pub(crate) fn since(&self, revision: u64) -> Option<impl Iterator<Item = &WatchBatch>> {
        let skipped = revision.checked_sub(self.compacted() + 1)?;
        let skipped = usize::try_from(skipped).unwrap_or(usize::MAX);
        Some(
            self.kept
                .range(skipped.min(self.kept.len())..)
                .map(|kept| &kept.batch),
        )
    }
}

fn event_bytes(event: &Event) -> usize {
    let value = match event {
        Event::Put(entry) => entry.value.len(),
        Event::Delete { .. } => 0,
    };
    EVENT_OVERHEAD + event.key().len() + value
}

#[cfg(test)]
mod tests {
    use super::{super::clock, *};

    fn filled(options: HistoryOptions, revisions: u64, now: Instant) -> History {
        let mut history = History::new(options, 10);
        for revision in 11..=10 + revisions {
            let events = [Event::Delete { key: "k".into() }].into();
            history.push(
                WatchBatch { revision, events },
                Sequence::new(revision),
                now,
            );
            history.trim(now);
        }
        history
    }

    fn check(history: &History, compacted: u64) {
        assert_eq!(history.compacted(), compacted);
        let since = |from| {
            history
                .since(from)
                .map(|batches| batches.map(|batch| batch.revision).collect())
        };
        let all: Vec<u64> = (compacted + 1..=history.head()).collect();
        assert_eq!(
            history.oldest_record(),
            all.first().copied().map(Sequence::new)
        );
        assert_eq!(since(compacted + 1), Some(all));
        assert_eq!(since(compacted), None);
        assert_eq!(since(history.head() + 1), Some(vec![]));
        assert_eq!(since(history.head() + 9), Some(vec![]));
    }

    #[test]
    fn each_bound_drops_the_oldest() {
        let now = clock::now();
        let options = HistoryOptions::default;
        check(&filled(options(), 0, now), 10);
        check(&filled(options(), 5, now), 10);
        check(
            &filled(
                HistoryOptions {
                    revisions: 3,
                    ..options()
                },
                5,
                now,
            ),
            12,
        );
        let two = 2 * (EVENT_OVERHEAD + 1);
        check(
            &filled(
                HistoryOptions {
                    bytes: two,
                    ..options()
                },
                5,
                now,
            ),
            13,
        );
        check(
            &filled(
                HistoryOptions {
                    revisions: 0,
                    ..options()
                },
                5,
                now,
            ),
            15,
        );

        let mut aged = filled(options(), 5, now);
        aged.trim(now + options().age);
        check(&aged, 10);
        aged.trim(now + options().age + Duration::from_secs(1));
        check(&aged, 15);
    }

    #[test]
    fn compaction_includes_its_revision() {
        let mut history = filled(HistoryOptions::default(), 5, clock::now());
        history.compact(12);
        check(&history, 12);
        history.compact(11);
        check(&history, 12);
        history.compact(15);
        check(&history, 15);
    }
}
