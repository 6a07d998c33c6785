//! The last N calls, however old.
//!
//! A ring of outcomes with a head, and the sums over it, so that judging looks at one word. Whoever takes a place in the
//! ring swaps his outcome in and takes the one he pushed out off the sums: exact with one thread, and with several
//! off by no more calls than are just being recorded.
//!
//! Head, sums and places carry the epoch they belong to. [`CountWindow::begin`] puts a new one into head and sums before
//! the state word does, so that a straggler of an earlier epoch finds himself late wherever he has got to.

use std::sync::OnceLock;

use super::stripe::Padded;
use super::window::{Call, Counts};
use crate::sync::atomic::{
    AtomicU64,
    Ordering::{AcqRel, Acquire, Relaxed, Release},
};

/// Places of the rings; most windows need the first only.
const ROOM: [usize; 4] = if cfg!(loom) {
    [2, 1_024, 8_192, 65_536]
} else {
    [128, 1_024, 8_192, 65_536]
};

/// A place: `epoch: 32 | unused | slow: 1 | failed: 1`.
const FAILED: u64 = 1;
const SLOW: u64 = 2;
const EPOCH: u32 = 32;

/// The sums: `epoch: 16 | slow: 24 | failed: 24`.
const SUM_SLOW: u32 = 24;
const SUM_EPOCH: u32 = 48;
const SUM_MASK: u64 = (1 << SUM_SLOW) - 1;

pub(super) struct CountWindow {
    /// `version: 32 | calls: 32`.
    shape: AtomicU64,
    /// `epoch: 32 | position: 32`: how many calls there were; beyond the ring's size it goes round, but not below it.
    head: Padded<AtomicU64>,
    sums: Padded<AtomicU64>,
    rings: [OnceLock<Box<[AtomicU64]>>; 4],
}

/// An epoch of a shape: what a call belongs to.
#[derive(Clone, Copy)]
struct Epoch {
    epoch: u64,
    calls: u64,
}

impl CountWindow {
    pub(super) fn new(calls: Option<u32>) -> Self {
        let window = Self {
            shape: AtomicU64::new(u64::from(calls.unwrap_or(1))),
            head: Padded(AtomicU64::new(0)),
            sums: Padded(AtomicU64::new(0)),
            rings: Default::default(),
        };
        if let Some(calls) = calls {
            window.ring(u64::from(calls));
        }
        window
    }

    fn ring(&self, calls: u64) -> &[AtomicU64] {
        let class = ROOM
            .iter()
            .position(|room| *room as u64 >= calls)
            .unwrap_or(ROOM.len() - 1);
        let ring =
            self.rings[class].get_or_init(|| (0..ROOM[class]).map(|_| AtomicU64::new(0)).collect());
        &ring[..calls as usize]
    }

    fn epoch(&self, generation: u64) -> Epoch {
        let shape = self.shape.load(Acquire);
        Epoch {
            epoch: generation.wrapping_add(shape >> 32) & 0xffff_ffff,
            calls: shape & 0xffff_ffff,
        }
    }

    /// Empties it for this generation. One caller at a time, before anything of that generation is recorded.
    pub(super) fn begin(&self, generation: u64) {
        let Epoch { epoch, .. } = self.epoch(generation);
        self.head.0.store(epoch << EPOCH, Relaxed);
        self.sums.0.store((epoch & 0xffff) << SUM_EPOCH, Release);
    }

    /// Counts one call of this generation.
    pub(super) fn record(&self, generation: u64, call: Call) {
        let at = self.epoch(generation);
        let Some(place) = self.take_place(at) else {
            return;
        };
        let outcome = (u64::from(call.failed) * FAILED) | (u64::from(call.slow) * SLOW);
        // First added, then put where another can take it off again.
        if !self.add(at.epoch, outcome, 0) {
            return;
        }
        if let Some(old) = put(&self.ring(at.calls)[place], at.epoch, outcome) {
            self.add(at.epoch, 0, old);
        }
    }

    /// A place in the ring; `None` if the epoch is over.
    fn take_place(&self, at: Epoch) -> Option<usize> {
        let mut head = self.head.0.load(Acquire);
        loop {
            if head >> EPOCH != at.epoch {
                return None;
            }
            let position = head & 0xffff_ffff;
            let next = if position + 1 == 2 * at.calls {
                at.calls
            } else {
                position + 1
            };
            let new = at.epoch << EPOCH | next;
            match self
                .head
                .0
                .compare_exchange_weak(head, new, AcqRel, Acquire)
            {
                Ok(_) => return Some((position % at.calls) as usize),
                Err(now) => head = now,
            }
        }
    }

    /// Changes the sums; `false` if the epoch is over.
    fn add(&self, epoch: u64, new: u64, old: u64) -> bool {
        if new == old {
            return true;
        }
        let spread = |outcome: u64| (outcome & SLOW) >> 1 << SUM_SLOW | (outcome & FAILED);
        let mut sums = self.sums.0.load(Relaxed);
        loop {
            if sums >> SUM_EPOCH != epoch & 0xffff {
                return false;
            }
            let changed = sums + spread(new) - spread(old);
            match self
                .sums
                .0
                .compare_exchange_weak(sums, changed, Relaxed, Relaxed)
            {
                Ok(_) => return true,
                Err(now) => sums = now,
            }
        }
    }

    /// What stands in the window.
    pub(super) fn counts(&self, generation: u64) -> Counts {
        let at = self.epoch(generation);
        let (head, sums) = (self.head.0.load(Acquire), self.sums.0.load(Acquire));
        if head >> EPOCH != at.epoch || sums >> SUM_EPOCH != at.epoch & 0xffff {
            return Counts::default();
        }
        Counts {
            total: (head & 0xffff_ffff).min(at.calls),
            failed: sums & SUM_MASK,
            slow: sums >> SUM_SLOW & SUM_MASK,
        }
    }

    /// Takes on another size, with the latest calls of this generation if there is one, else empty. One caller at a
    /// time.
    pub(super) fn reshape(&self, calls: u32, generation: u64, carry: bool) {
        let old = self.epoch(generation);
        if carry && old.calls == u64::from(calls) {
            return;
        }
        let head = self.head.0.load(Acquire);
        let position = if head >> EPOCH == old.epoch && carry {
            head & 0xffff_ffff
        } else {
            0
        };
        let keep = position.min(old.calls).min(u64::from(calls));
        let outcomes: Vec<u64> = if keep == 0 {
            Vec::new()
        } else {
            let ring = self.ring(old.calls);
            ((position - keep)..position)
                .map(|at| ring[(at % old.calls) as usize].load(Relaxed))
                .map(|place| place & (FAILED | SLOW))
                .collect()
        };
        let version = (self.shape.load(Relaxed) >> 32) + 1;
        let epoch = generation.wrapping_add(version) & 0xffff_ffff;
        let count = |bit| {
            outcomes
                .iter()
                .filter(|outcome| **outcome & bit != 0)
                .count() as u64
        };
        let (failed, slow) = (count(FAILED), count(SLOW));
        for (place, outcome) in self.ring(u64::from(calls)).iter().zip(&outcomes) {
            place.store(epoch << EPOCH | outcome, Relaxed);
        }
        self.sums.0.store(
            (epoch & 0xffff) << SUM_EPOCH | slow << SUM_SLOW | failed,
            Relaxed,
        );
        self.head.0.store(epoch << EPOCH | keep, Release);
        self.shape
            .store((version & 0xffff_ffff) << 32 | u64::from(calls), Release);
    }
}

/// Puts an outcome in its place and returns the one that stood there, if it was of the same epoch. A place that already
/// is of a later one stays as it is.
fn put(place: &AtomicU64, epoch: u64, outcome: u64) -> Option<u64> {
    let mut old = place.load(Relaxed);
    loop {
        let ahead = (old >> EPOCH).wrapping_sub(epoch) as u32;
        if old >> EPOCH != epoch && (ahead as i32) > 0 {
            return None;
        }
        match place.compare_exchange_weak(old, epoch << EPOCH | outcome, AcqRel, Relaxed) {
            Ok(_) => return (old >> EPOCH == epoch).then_some(old & (FAILED | SLOW)),
            Err(now) => old = now,
        }
    }
}
