//! Counters that threads do not fight over: each thread adds in a stripe of its own, a reader sums all of them.

use crate::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Words of a [`Row`]. Loom tracks every word, so its models do with fewer.
pub(super) const LANES: usize = if cfg!(loom) { 2 } else { 16 };

/// Words of one thread, two cache lines: processors fetch lines in pairs.
#[repr(align(128))]
pub(super) struct Row(pub(super) [AtomicU64; LANES]);

/// So many rows of zeros.
pub(super) fn rows(count: usize) -> Box<[Row]> {
    (0..count)
        .map(|_| Row(std::array::from_fn(|_| AtomicU64::new(0))))
        .collect()
}

/// A word on cache lines of its own.
#[repr(align(128))]
pub(super) struct Padded<T>(pub(super) T);

/// How many stripes there are: a power of two, as many as threads can run at once, but no more than 16, since every
/// breaker pays for them (a default one 0.5 kB each) and more threads than that collide rarely.
#[cfg(not(loom))]
pub(super) fn stripes() -> usize {
    static STRIPES: std::sync::OnceLock<usize> = std::sync::OnceLock::new();
    *STRIPES.get_or_init(|| {
        std::thread::available_parallelism()
            .map_or(1, usize::from)
            .next_power_of_two()
            .min(16)
    })
}

/// The present thread's stripe of so many (a power of two): threads take turns as they first ask.
#[cfg(not(loom))]
#[inline]
pub(super) fn stripe(of: usize) -> usize {
    use std::cell::Cell;
    use std::sync::atomic::AtomicUsize;

    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static MINE: Cell<usize> = const { Cell::new(usize::MAX) };
    }

    let mine = MINE.get();
    if mine != usize::MAX {
        return mine & (of - 1);
    }
    let mine = NEXT.fetch_add(1, Relaxed) & (usize::MAX >> 1);
    MINE.set(mine);
    mine & (of - 1)
}

#[cfg(loom)]
pub(super) fn stripes() -> usize {
    2
}

#[cfg(loom)]
pub(super) fn stripe(of: usize) -> usize {
    loom::lazy_static! {
        static ref NEXT: AtomicU64 = AtomicU64::new(0);
    }
    loom::thread_local! {
        static MINE: usize = NEXT.fetch_add(1, Relaxed) as usize;
    }
    MINE.with(|mine| mine & (of - 1))
}

/// What is counted for as long as the breaker lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Total {
    Successful = 0,
    Failed,
    Slow,
    Ignored,
    Rejected,
}

/// A breaker's statistics, striped.
pub(super) struct Totals {
    stripes: usize,
    rows: Box<[Row]>,
}

/// Rows of one stripe.
const ROWS: usize = 5_usize.div_ceil(LANES);

impl Totals {
    pub(super) fn new(stripes: usize) -> Self {
        Self {
            stripes,
            rows: rows(stripes * ROWS),
        }
    }

    fn word(&self, stripe: usize, total: Total) -> &AtomicU64 {
        let at = total as usize;
        &self.rows[stripe * ROWS + at / LANES].0[at % LANES]
    }

    /// Adds in the present thread's stripe. Wraps, so that a difference can be added.
    pub(super) fn add(&self, total: Total, count: u64) {
        self.word(stripe(self.stripes), total)
            .fetch_add(count, Relaxed);
    }

    /// The same, once a bucket.
    #[cold]
    pub(super) fn settle(&self, total: Total, count: u64) {
        self.add(total, count);
    }

    pub(super) fn sum(&self, total: Total) -> u64 {
        (0..self.stripes)
            .map(|stripe| self.word(stripe, total).load(Relaxed))
            .fold(0, u64::wrapping_add)
    }
}
