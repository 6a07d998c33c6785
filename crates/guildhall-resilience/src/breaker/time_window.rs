//! The calls of the last few buckets of time.
//!
//! A bucket is three words in each stripe: successes, failures, slow calls. Each word carries a tag that says which
//! bucket of which generation it counts, so that nothing is ever cleared: who finds another tag than his own puts his
//! own there with a count of one (a compare-and-swap, so that nothing is lost), and readers pass over foreign tags. A
//! new generation therefore begins with an empty window in one store of the state word, and a call of an earlier one
//! cannot count in it.
//!
//! What is pushed out of a bucket goes to the lifetime's [`Totals`], so that a call costs one read-modify-write and not
//! two.

use std::sync::OnceLock;
use std::time::Duration;

use super::stripe::{LANES, Row, Total, Totals, rows, stripe};
use super::window::{Call, Counts};
use crate::sync::atomic::{
    AtomicU64,
    Ordering::{Acquire, Relaxed, Release},
};

/// A word of a bucket: `epoch: 16 | cycle: 20 | count: 28`.
///
/// The cycle says how often the ring has gone round. Both parts may wrap: to be mistaken a word must have lain untouched
/// for a whole multiple of both.
const COUNT: u32 = 28;
const CYCLE: u32 = 20;
const COUNT_MASK: u64 = (1 << COUNT) - 1;

/// `version: 16 | buckets: 8 | width in µs: 40`: one word, so that nobody sees half of a change.
#[derive(Clone, Copy)]
struct Shape(u64);

impl Shape {
    fn new(version: u64, buckets: u8, width: Duration) -> Self {
        Self((version & 0xffff) << 48 | u64::from(buckets) << 40 | width.as_micros() as u64)
    }

    #[inline]
    fn version(self) -> u64 {
        self.0 >> 48
    }

    #[inline]
    fn buckets(self) -> u64 {
        self.0 >> 40 & 0xff
    }

    /// In nanoseconds.
    #[inline]
    fn width(self) -> u64 {
        (self.0 & ((1 << 40) - 1)) * 1_000
    }
}

/// A place in time, as a call found it.
#[derive(Clone, Copy)]
pub(super) struct At {
    shape: Shape,
    /// The generation and the shape's version together: both only grow.
    epoch: u64,
    /// The bucket's number since the breaker was made.
    number: u64,
}

/// The words of one shape's buckets.
struct Ring {
    stripes: usize,
    /// The logarithm of the number of buckets it has room for.
    room: u32,
    rows: Box<[Row]>,
}

/// What a word counts; rows of a stripe in this order.
const KINDS: [Total; 3] = [Total::Successful, Total::Failed, Total::Slow];

impl Ring {
    fn new(stripes: usize, room: u32) -> Self {
        let count = stripes * KINDS.len() * (1usize << room).div_ceil(LANES);
        Self {
            stripes,
            room,
            rows: rows(count),
        }
    }

    #[inline]
    fn word(&self, stripe: usize, kind: Total, number: u64) -> &AtomicU64 {
        let slot = (number & ((1 << self.room) - 1)) as usize;
        let rows = (1usize << self.room).div_ceil(LANES);
        &self.rows[(stripe * KINDS.len() + kind as usize) * rows + slot / LANES].0[slot % LANES]
    }

    #[inline]
    fn tag(&self, epoch: u64, number: u64) -> u64 {
        (epoch & 0xffff) << CYCLE | (number >> self.room) & ((1 << CYCLE) - 1)
    }

    /// Counts `by` more in a bucket; returns what it pushed out.
    #[inline]
    fn add(&self, stripe: usize, kind: Total, epoch: u64, number: u64, by: u64) -> u64 {
        let tag = self.tag(epoch, number);
        let word = self.word(stripe, kind, number);
        let mut old = word.load(Relaxed);
        loop {
            let (count, pushed_out) = if old >> COUNT == tag {
                ((old & COUNT_MASK) + by, 0)
            } else {
                (by, old & COUNT_MASK)
            };
            let new = tag << COUNT | count.min(COUNT_MASK);
            match word.compare_exchange_weak(old, new, Relaxed, Relaxed) {
                Ok(_) => return pushed_out,
                Err(now) => old = now,
            }
        }
    }

    fn count(&self, kind: Total, epoch: u64, number: u64) -> u64 {
        let tag = self.tag(epoch, number);
        (0..self.stripes)
            .map(|stripe| self.word(stripe, kind, number).load(Relaxed))
            .filter(|word| word >> COUNT == tag)
            .map(|word| word & COUNT_MASK)
            .sum()
    }
}

/// Rings have room for so many buckets: most windows need the first only, and the other is made when it is needed.
const ROOM: [u32; 2] = if cfg!(loom) { [1, 6] } else { [4, 6] };

pub(super) struct TimeWindow {
    shape: AtomicU64,
    /// The highest bucket's number yet, `version: 16 | number: 48`: it saves a division, and time that runs back is cut
    /// to it.
    latest: AtomicU64,
    /// `epoch: 16 | number: 48` of a bucket in which the window was looked at, had volume enough and was in order: then
    /// one more good call in the same bucket changes nothing, and need not look.
    quiet: AtomicU64,
    stripes: usize,
    rings: [OnceLock<Ring>; 2],
}

const NUMBER: u32 = 48;
const NUMBER_MASK: u64 = (1 << NUMBER) - 1;
/// No bucket's number is this one.
const NEVER_QUIET: u64 = NUMBER_MASK;

impl TimeWindow {
    pub(super) fn new(buckets: u8, width: Duration, stripes: usize) -> Self {
        let window = Self {
            shape: AtomicU64::new(Shape::new(0, buckets, width).0),
            latest: AtomicU64::new(0),
            quiet: AtomicU64::new(NEVER_QUIET),
            stripes,
            rings: [OnceLock::new(), OnceLock::new()],
        };
        window.ring(u64::from(buckets));
        window
    }

    #[inline]
    fn ring(&self, buckets: u64) -> &Ring {
        let class = usize::from(buckets > 1 << ROOM[0]);
        match self.rings[class].get() {
            Some(ring) => ring,
            None => self.make_ring(class),
        }
    }

    #[cold]
    fn make_ring(&self, class: usize) -> &Ring {
        self.rings[class].get_or_init(|| Ring::new(self.stripes, ROOM[class]))
    }

    /// Where `now`, in nanoseconds since the breaker was made, is for a call of this generation.
    #[inline(always)]
    pub(super) fn at(&self, generation: u64, now: u64) -> At {
        let shape = Shape(self.shape.load(Acquire));
        At {
            shape,
            epoch: generation.wrapping_add(shape.version()),
            number: self.number(shape, now),
        }
    }

    #[inline(always)]
    fn number(&self, shape: Shape, now: u64) -> u64 {
        let latest = self.latest.load(Relaxed);
        if latest >> NUMBER == shape.version() {
            let number = latest & NUMBER_MASK;
            if now < (number + 1) * shape.width() {
                return number;
            }
        }
        self.advance(shape, now / shape.width())
    }

    #[cold]
    fn advance(&self, shape: Shape, number: u64) -> u64 {
        let mut latest = self.latest.load(Relaxed);
        while latest >> NUMBER == shape.version() {
            if latest & NUMBER_MASK >= number {
                return latest & NUMBER_MASK;
            }
            let new = shape.version() << NUMBER | number;
            match self
                .latest
                .compare_exchange_weak(latest, new, Relaxed, Relaxed)
            {
                Ok(_) => return number,
                Err(now) => latest = now,
            }
        }
        number
    }

    /// Counts one call.
    #[inline(always)]
    pub(super) fn record(&self, at: At, call: Call, totals: &Totals) {
        let ring = self.ring(at.shape.buckets());
        let stripe = stripe(ring.stripes);
        let kind = if call.failed {
            Total::Failed
        } else {
            Total::Successful
        };
        let pushed_out = ring.add(stripe, kind, at.epoch, at.number, 1);
        if pushed_out > 0 {
            totals.settle(kind, pushed_out);
        }
        if call.slow {
            let pushed_out = ring.add(stripe, Total::Slow, at.epoch, at.number, 1);
            if pushed_out > 0 {
                totals.settle(Total::Slow, pushed_out);
            }
        }
    }

    #[inline]
    pub(super) fn is_quiet(&self, at: At) -> bool {
        self.quiet.load(Relaxed) == (at.epoch << NUMBER | at.number)
    }

    pub(super) fn quieten(&self, at: At) {
        // Every call reads this line: each failure that writes it again would take it from all other cores.
        if !self.is_quiet(at) {
            self.quiet.store(at.epoch << NUMBER | at.number, Relaxed);
        }
    }

    /// The next call looks at the window.
    pub(super) fn disquiet(&self) {
        self.quiet.store(NEVER_QUIET, Relaxed);
    }

    /// What stands in the window.
    pub(super) fn counts(&self, at: At) -> Counts {
        let ring = self.ring(at.shape.buckets());
        let oldest = (at.number + 1).saturating_sub(at.shape.buckets());
        let mut counts = Counts::default();
        for number in oldest..=at.number {
            counts.failed += ring.count(Total::Failed, at.epoch, number);
            counts.slow += ring.count(Total::Slow, at.epoch, number);
            counts.total += ring.count(Total::Successful, at.epoch, number);
        }
        counts.total += counts.failed;
        counts
    }

    /// What stands in words and not yet in the totals.
    pub(super) fn unsettled(&self, kind: Total) -> u64 {
        let count = |ring: &Ring| -> u64 {
            (0..ring.stripes)
                .flat_map(|stripe| (0..1 << ring.room).map(move |slot| (stripe, slot)))
                .map(|(stripe, slot)| ring.word(stripe, kind, slot).load(Relaxed) & COUNT_MASK)
                .sum()
        };
        self.rings.iter().filter_map(OnceLock::get).map(count).sum()
    }

    /// Takes on another shape. With `generation`, what stands in the window is carried over; without, it begins empty.
    /// One caller at a time.
    pub(super) fn reshape(
        &self,
        buckets: u8,
        width: Duration,
        carry: Option<u64>,
        now: u64,
        totals: &Totals,
    ) {
        let old = Shape(self.shape.load(Relaxed));
        let new = Shape::new(old.version(), buckets, width);
        if old.0 == new.0 && carry.is_some() {
            return;
        }
        let new = Shape::new(old.version() + 1, buckets, width);
        let from = At {
            shape: old,
            epoch: carry.unwrap_or_default().wrapping_add(old.version()),
            number: self.number(old, now),
        };
        // Time does not run back here either.
        let now = now.max(from.number * old.width());
        let last = now / new.width();
        let into = self.ring(new.buckets());
        let mut carried = Vec::new();
        if let Some(generation) = carry {
            let ring = self.ring(old.buckets());
            let oldest = (from.number + 1).saturating_sub(old.buckets());
            for number in oldest..=from.number {
                // A bucket's calls go where the last of them may have been: they leave no earlier than they would have.
                let end = ((number + 1) * old.width() - 1).min(now);
                for kind in KINDS {
                    let count = ring.count(kind, from.epoch, number);
                    carried.push((kind, end / new.width(), count));
                }
            }
            let epoch = generation.wrapping_add(new.version());
            let oldest = (last + 1).saturating_sub(new.buckets());
            carried.retain(|(_, number, count)| *number >= oldest && *count > 0);
            for (kind, number, count) in carried {
                let pushed_out = into.add(0, kind, epoch, number, count);
                // They are counted where they were, too.
                totals.add(kind, pushed_out.wrapping_sub(count));
            }
        }
        self.latest.store(new.version() << NUMBER | last, Relaxed);
        self.disquiet();
        // After the words it stands for.
        self.shape.store(new.0, Release);
    }
}
