//! Which blobs there are, where each stands, and which of them nothing may name any more. Pure.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound,
    time::{Duration, Instant},
};

use guildhall_log::{Kept, Location};

use super::record::PREFIX;
use crate::BlobHash;

/// Where a blob's bytes are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Place {
    pub(super) at: Location,
    /// Bytes of the blob.
    pub(super) length: u32,
}

impl Place {
    /// Bytes of its record.
    pub(super) fn record(self) -> usize {
        PREFIX + self.length as usize
    }
}

/// What is known of a blob.
struct Slot {
    place: Place,
    /// It stands in `candidates`, once.
    queued: bool,
    /// When it was last put or lost its last name.
    touched: Instant,
}

/// Bytes of records in a segment.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
struct Usage {
    written: u64,
    /// Of those, the ones whose blob is kept and stands here.
    live: u64,
}

impl Usage {
    fn is_mostly_garbage(self) -> bool {
        self.live < self.written - self.live
    }
}

/// All blobs. It is never ahead of the log: what stands here is durable.
#[derive(Default)]
pub(super) struct Index {
    slots: BTreeMap<BlobHash, Slot>,
    segments: BTreeMap<u64, Usage>,
    /// Every blob that nothing may name, by when it was found to be so; some that something names.
    candidates: BTreeSet<(Instant, BlobHash)>,
    /// Blobs that were here, or must have been, and cannot be read.
    damaged: BTreeSet<BlobHash>,
}

impl Index {
    /// Where a blob is.
    pub(super) fn place(&self, hash: &BlobHash) -> Option<Place> {
        self.slots.get(hash).map(|slot| slot.place)
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    pub(super) fn damaged(&self) -> &BTreeSet<BlobHash> {
        &self.damaged
    }

    /// Bytes of records: all, and those of kept blobs.
    pub(super) fn bytes(&self) -> (u64, u64) {
        let all = sum(self.segments.values());
        (all.written, all.live)
    }

    /// Takes note of a blob's record. Unless it is known to be named, its time runs from `now`.
    pub(super) fn insert(&mut self, hash: BlobHash, place: Place, named: bool, now: Instant) {
        self.damaged.remove(&hash);
        self.arrive(place);
        let old = self.slots.get(&hash);
        let was_queued = old.is_some_and(|old| old.queued);
        let left = old.map(|old| old.place);
        if !named && !was_queued {
            self.candidates.insert((now, hash));
        }
        self.slots.insert(
            hash,
            Slot {
                place,
                queued: was_queued || !named,
                touched: now,
            },
        );
        if let Some(left) = left {
            self.leave(left);
        }
    }

    /// Takes note that a blob's bytes were copied. If it was forgotten or put anew meanwhile, the copy is garbage.
    pub(super) fn moved(&mut self, hash: &BlobHash, from: Place, to: Place) {
        self.arrive(to);
        match self.slots.get_mut(hash) {
            Some(slot) if slot.place == from => {
                slot.place = to;
                self.leave(from);
            }
            _ => self.leave(to),
        }
    }

    fn arrive(&mut self, place: Place) {
        let usage = self.segments.entry(place.at.segment).or_default();
        usage.written += place.record() as u64;
        usage.live += place.record() as u64;
    }

    fn leave(&mut self, place: Place) {
        if let Some(usage) = self.segments.get_mut(&place.at.segment) {
            usage.live = usage.live.saturating_sub(place.record() as u64);
        }
    }

    /// These segments are no longer there: all before this one.
    pub(super) fn dropped_before(&mut self, segment: u64) {
        self.segments = self.segments.split_off(&segment);
    }

    /// What stands at this place is not the blob: it counts as missing from here on. False when the blob is elsewhere by
    /// now, or gone.
    pub(super) fn damage(&mut self, hash: &BlobHash, place: Place) -> bool {
        let here = self.place(hash) == Some(place);
        if here {
            self.slots.remove(hash);
            self.leave(place);
            self.damaged.insert(*hash);
        }
        here
    }

    /// A blob that something names is not there.
    pub(super) fn miss(&mut self, hash: BlobHash) {
        self.damaged.insert(hash);
    }

    /// A known blob was put again: its time runs anew. False when it is not known.
    pub(super) fn touch(&mut self, hash: &BlobHash, now: Instant) -> bool {
        let slot = self.slots.get_mut(hash);
        slot.map(|slot| slot.touched = now).is_some()
    }

    /// A blob lost its last name: its time runs from now.
    pub(super) fn free(&mut self, hash: BlobHash, now: Instant) {
        self.damaged.remove(&hash);
        if let Some(slot) = self.slots.get_mut(&hash) {
            slot.touched = now;
            if !std::mem::replace(&mut slot.queued, true) {
                self.candidates.insert((now, hash));
            }
        }
    }

    /// Since when the next blob to be looked at may have had no name.
    pub(super) fn oldest_candidate(&self) -> Option<Instant> {
        self.candidates.first().map(|(found, _)| *found)
    }

    /// Looks at up to `most` blobs that may be due, and forgets those that nothing named or put for `grace`.
    pub(super) fn forget(
        &mut self,
        named: impl Fn(&BlobHash) -> bool,
        grace: Duration,
        now: Instant,
        most: usize,
    ) {
        for _ in 0..most {
            let due = self.candidates.first().copied();
            let Some((found, hash)) = due.filter(|(found, _)| *found + grace <= now) else {
                return;
            };
            self.candidates.pop_first();
            let Some(slot) = self.slots.get_mut(&hash) else {
                continue;
            };
            slot.queued = false;
            if named(&hash) {
                // Once nothing does any more, `free` puts it back.
            } else if slot.touched > found {
                slot.queued = true;
                self.candidates.insert((slot.touched, hash));
            } else {
                let place = slot.place;
                self.slots.remove(&hash);
                self.leave(place);
            }
        }
    }

    /// The segment to clean next, of those that are kept, oldest first: always the oldest, as the log gives up its
    /// segments in that order; and only if more than half of it is garbage, or of all that are no longer written.
    pub(super) fn to_clean(&self, kept: &[Kept]) -> Option<u64> {
        let [oldest, others @ .., active] = kept else {
            return None;
        };
        debug_assert!(others.iter().all(|other| other.number < active.number));
        let usage = self.segments.get(&oldest.number).copied();
        let all = sum(self.segments.range(..active.number).map(|(_, usage)| usage));
        let worth =
            |usage: Usage| usage.live == 0 || usage.is_mostly_garbage() || all.is_mostly_garbage();
        usage.is_none_or(worth).then_some(oldest.number)
    }

    /// Whether no kept blob stands in a segment.
    pub(super) fn is_empty(&self, segment: u64) -> bool {
        self.segments
            .get(&segment)
            .is_none_or(|usage| usage.live == 0)
    }

    /// Looks at up to `most` blobs after `after`, for those in a segment, of about `bytes` together. Returns them, and the
    /// last one that was looked at; none when that was the last of all.
    pub(super) fn within(
        &self,
        segment: u64,
        after: Option<BlobHash>,
        most: usize,
        bytes: usize,
    ) -> (Vec<(BlobHash, Place)>, Option<BlobHash>) {
        let (mut found, mut length) = (Vec::new(), 0);
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        let blobs = self.slots.range((start, Bound::Unbounded));
        for (looked, (hash, slot)) in blobs.enumerate() {
            if slot.place.at.segment == segment {
                found.push((*hash, slot.place));
                length += slot.place.record();
            }
            if looked + 1 >= most || length >= bytes {
                return (found, Some(*hash));
            }
        }
        (found, None)
    }
}

fn sum<'a>(usages: impl Iterator<Item = &'a Usage>) -> Usage {
    usages.fold(Usage::default(), |sum, usage| Usage {
        written: sum.written + usage.written,
        live: sum.live + usage.live,
    })
}

#[cfg(test)]
mod tests {
    use guildhall_log::Sequence;

    use super::{super::super::clock, *};

    const GRACE: Duration = Duration::from_secs(60);

    fn hash(number: u8) -> BlobHash {
        BlobHash::new([number; 32])
    }

    /// A record of 100 bytes.
    fn place(segment: u64, number: u64) -> Place {
        Place {
            at: Location {
                segment,
                offset: 512 + number * 128,
            },
            length: 100 - PREFIX as u32,
        }
    }

    fn kept(numbers: std::ops::RangeInclusive<u64>) -> Vec<Kept> {
        let kept = |number| Kept {
            number,
            first: Sequence::new(number * 100),
        };
        numbers.map(kept).collect()
    }

    #[test]
    fn the_oldest_segment_is_cleaned_when_half_of_it_or_of_all_is_garbage() {
        let (mut index, now) = (Index::default(), clock::now());
        for number in 0..4 {
            index.insert(hash(number), place(1, number.into()), true, now);
            index.insert(hash(10 + number), place(2, number.into()), true, now);
            index.insert(hash(20 + number), place(3, number.into()), true, now);
        }
        let forget = |index: &mut Index, number| {
            index.free(hash(number), now);
            index.forget(|_| false, Duration::ZERO, now, 1);
        };
        assert_eq!(index.to_clean(&kept(1..=3)), None, "all is live");
        forget(&mut index, 0);
        forget(&mut index, 1);
        assert_eq!(index.to_clean(&kept(1..=3)), None, "half of it");
        forget(&mut index, 20);
        forget(&mut index, 21);
        assert_eq!(
            index.to_clean(&kept(1..=3)),
            None,
            "what is written now does not count"
        );
        forget(&mut index, 10);
        forget(&mut index, 11);
        forget(&mut index, 12);
        assert_eq!(index.to_clean(&kept(1..=3)), Some(1), "five of eight");
        assert_eq!(index.to_clean(&kept(1..=1)), None, "it is being written");
        assert!(!index.is_empty(1));

        for number in [2, 3] {
            index.moved(
                &hash(number),
                place(1, number.into()),
                place(3, 10 + u64::from(number)),
            );
        }
        assert!(index.is_empty(1));
        assert_eq!(index.bytes(), (1400, 500));
        index.dropped_before(2);
        assert_eq!(index.bytes(), (1000, 500));
        assert_eq!(index.to_clean(&kept(2..=3)), Some(2));
    }

    #[test]
    fn a_copy_of_what_went_meanwhile_is_garbage() {
        let (mut index, now) = (Index::default(), clock::now());
        index.insert(hash(1), place(1, 0), true, now);
        index.insert(hash(1), place(2, 0), true, now);
        assert_eq!(index.bytes(), (200, 100));
        index.moved(&hash(1), place(1, 0), place(3, 0));
        assert_eq!(index.place(&hash(1)), Some(place(2, 0)));
        assert_eq!(index.bytes(), (300, 100));
        assert!(index.is_empty(1) && index.is_empty(3));
    }

    #[test]
    fn a_sweep_looks_at_a_bounded_number_and_at_named_ones_once() {
        let (mut index, now) = (Index::default(), clock::now());
        for number in 0..100 {
            index.insert(hash(number), place(1, number.into()), false, now);
        }
        let named = |blob: &BlobHash| blob.as_bytes()[0] < 50;
        index.forget(named, GRACE, now, 1000);
        assert_eq!(index.len(), 100, "nothing is due");
        assert!(index.touch(&hash(60), now + GRACE / 2));
        for rounds in 1..=10 {
            index.forget(named, GRACE, now + GRACE, 10);
            assert!(index.candidates.len() >= 100 - 10 * rounds);
        }
        assert_eq!(index.len(), 51);
        assert_eq!(
            index.oldest_candidate(),
            Some(now + GRACE / 2),
            "only the one put again is looked at once more"
        );
        index.free(hash(7), now + GRACE * 5);
        index.forget(|_| false, GRACE, now + GRACE * 5, 1000);
        assert_eq!(index.len(), 50);
        index.forget(|_| false, GRACE, now + GRACE * 6, 1000);
        assert_eq!((index.len(), index.oldest_candidate()), (49, None));
    }

    #[test]
    fn damage_counts_only_where_the_blob_stands() {
        let (mut index, now) = (Index::default(), clock::now());
        index.insert(hash(1), place(1, 0), true, now);
        assert!(!index.damage(&hash(1), place(2, 0)));
        assert!(index.damage(&hash(1), place(1, 0)));
        assert_eq!((index.len(), index.damaged().len()), (0, 1));
        index.insert(hash(1), place(2, 0), false, now);
        assert_eq!((index.len(), index.damaged().len()), (1, 0));
        index.miss(hash(2));
        index.free(hash(2), now);
        assert!(index.damaged().is_empty(), "nothing names it any more");
    }

    #[test]
    fn blobs_of_a_segment_are_found_piece_by_piece() {
        let (mut index, now) = (Index::default(), clock::now());
        for number in 0..100 {
            let segment = 1 + u64::from(number % 2);
            index.insert(hash(number), place(segment, number.into()), true, now);
        }
        let (mut after, mut found, mut calls) = (None, Vec::new(), 0);
        loop {
            let (piece, last) = index.within(1, after, 12, 500);
            assert!(piece.len() <= 5);
            found.extend(piece.into_iter().map(|(hash, _)| hash));
            calls += 1;
            if last.is_none() {
                break;
            }
            after = last;
        }
        let expected: Vec<_> = (0..100).step_by(2).map(hash).collect();
        assert_eq!(found, expected);
        assert!(calls > 8, "{calls}");
    }
}
