//! The sliding window, as a weighted counter of two fixed ones.
//!
//! Requests are counted in windows that follow each other; the window that slides over both holds all of the present
//! one and, of the one before, the share that it still covers, as if those requests had come evenly. So the estimate
//! needs two numbers instead of a list of times. Cloudflare measured it wrong for 0.003 % of requests ("How we built
//! rate limiting capable of scaling to millions of domains", 2017).
//!
//! # What an edit keeps
//!
//! | field | kept | changed |
//! |---|---|---|
//! | `limit` | both counts | what they are held against |
//! | `period` | the estimate, as the new window's count | the windows start anew |

use std::time::{Duration, Instant};

use super::{Limited, Quota, RateLimit};
use crate::origin::{Origin, nanos};
use crate::sync::atomic::{
    AtomicU64,
    Ordering::{AcqRel, Relaxed},
};
use crate::sync::{Mutex, lock};

/// So many requests in any period, roughly; without a burst beyond that, and without evening out within it.
///
/// Lock-free: each of the two counters is one word with the number of its window, so that it starts anew by itself. A
/// request that is counted looks at the other counter again, and takes itself back if the two of them have become too
/// much: threads that disagree about the window at its edge get no more than the limit together, perhaps less.
/// The quota's burst does not matter here.
///
/// ```
/// use guildhall_resilience::limiter::{Quota, SlidingWindow};
/// use std::time::{Duration, Instant};
///
/// let now = Instant::now();
/// let limiter = SlidingWindow::new(Quota::per_minute(60)?, now);
/// assert_eq!(limiter.check_n(60, now)?.remaining, 0);
/// // A quarter into the next minute a quarter of the last one's requests are out of sight.
/// let later = now + Duration::from_secs(75);
/// assert_eq!(limiter.status(later).remaining, 15);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[repr(align(64))]
pub struct SlidingWindow {
    /// Of windows with even and odd numbers: the number's low half above, the count below.
    counts: [AtomicU64; 2],
    limit: AtomicU64,
    period: AtomicU64,
    origin: Origin,
    quota: Mutex<Quota>,
}

/// The counts as they stand at some time.
#[derive(Clone, Copy)]
struct View {
    /// The low half of the present window's number.
    window: u32,
    /// The word that holds the present window's count, or one before it.
    word: u64,
    /// The other word.
    other: u64,
    present: u64,
    before: u64,
    /// Nanoseconds until the present window ends, and how long a window is.
    left: u64,
    period: u64,
}

impl SlidingWindow {
    /// A limiter that has seen no requests.
    pub fn new(quota: Quota, now: Instant) -> Self {
        Self {
            counts: [AtomicU64::new(0), AtomicU64::new(word(u32::MAX, 0))],
            limit: AtomicU64::new(u64::from(quota.limit())),
            period: AtomicU64::new(nanos(quota.period())),
            origin: Origin::new(now),
            quota: Mutex::new(quota),
        }
    }

    /// Whether one request may go.
    ///
    /// # Errors
    /// [`Limited`] if not: it says when it may.
    pub fn check(&self, now: Instant) -> Result<RateLimit, Limited> {
        self.check_n(1, now)
    }

    /// Whether `n` requests (or one that weighs as much) may go, all or none.
    ///
    /// # Errors
    /// [`Limited`] if not; without a `retry_after` if `n` is over the limit.
    pub fn check_n(&self, n: u32, now: Instant) -> Result<RateLimit, Limited> {
        let (limit, n) = (self.limit.load(Relaxed), u64::from(n));
        loop {
            let view = self.view(now);
            if !view.fits(n, limit) {
                let status = view.status(limit);
                let retry_after = view.wait(n, limit).map(Duration::from_nanos);
                return Err(Limited::new(status.limit, status.remaining, retry_after));
            }
            let next = View {
                present: view.present + n,
                ..view
            };
            let slot = &self.counts[view.window as usize & 1];
            let to = word(view.window, next.present);
            if slot
                .compare_exchange_weak(view.word, to, AcqRel, Relaxed)
                .is_err()
            {
                continue;
            }
            // A read that writes: of two threads that count in different windows, one at least sees the other.
            let other = &self.counts[view.window as usize & 1 ^ 1];
            if other.fetch_add(0, AcqRel) == view.other || self.view(now).fits(0, limit) {
                return Ok(next.status(limit));
            }
            self.take_back(view.window, n);
        }
    }

    #[cold]
    fn take_back(&self, window: u32, n: u64) {
        let slot = &self.counts[window as usize & 1];
        let mut held = slot.load(Relaxed);
        // Unless the window is out of sight by now, and its count with it.
        while number(held) == window {
            let to = word(window, count(held).saturating_sub(n));
            match slot.compare_exchange_weak(held, to, AcqRel, Relaxed) {
                Ok(_) => return,
                Err(changed) => held = changed,
            }
        }
    }

    /// Where the limiter stands; counts nothing.
    pub fn status(&self, now: Instant) -> RateLimit {
        self.view(now).status(self.limit.load(Relaxed))
    }

    /// The quota.
    pub fn quota(&self) -> Quota {
        *lock(&self.quota)
    }

    /// Another quota from now on; what was counted stays counted (see the table above).
    ///
    /// Requests at the very moment at which the period changes may go uncounted.
    pub fn reconfigure(&self, quota: Quota, now: Instant) {
        let mut held = lock(&self.quota);
        let period = nanos(quota.period());
        if period != self.period.load(Relaxed) {
            let used = self.view(now).used();
            let window = (self.origin.nanos(now) / period) as u32;
            self.period.store(period, Relaxed);
            self.counts[window as usize & 1].store(word(window, used), Relaxed);
            let before = window.wrapping_sub(1);
            self.counts[before as usize & 1].store(word(before, 0), Relaxed);
        }
        self.limit.store(u64::from(quota.limit()), Relaxed);
        *held = quota;
    }

    fn view(&self, now: Instant) -> View {
        let (period, now) = (self.period.load(Relaxed), self.origin.nanos(now));
        let mut window = (now / period) as u32;
        let mut left = period - now % period;
        let words = [self.counts[0].load(Relaxed), self.counts[1].load(Relaxed)];
        for word in words {
            // Somebody has seen a later time: this one changes nothing, it is the start of that window. The halves of
            // the numbers come round in 2³² windows; by then nobody remembers.
            if (number(word).wrapping_sub(window) as i32) > 0 {
                (window, left) = (number(word), period);
            }
        }
        let count_of = |window: u32| match words[window as usize & 1] {
            word if number(word) == window => count(word),
            _ => 0,
        };
        View {
            window,
            word: words[window as usize & 1],
            other: words[window as usize & 1 ^ 1],
            present: count_of(window),
            before: count_of(window.wrapping_sub(1)),
            left,
            period,
        }
    }
}

impl View {
    /// Whether n more are within the limit. Multiplied by the period, so that nothing is rounded.
    fn fits(&self, n: u64, limit: u64) -> bool {
        let period = u128::from(self.period);
        let before = u128::from(self.before) * u128::from(self.left);
        before + u128::from(self.present + n) * period <= u128::from(limit) * period
    }

    /// The estimate, rounded up.
    fn used(&self) -> u64 {
        let before = match self.before.checked_mul(self.left) {
            Some(product) => product.div_ceil(self.period),
            // Not on the way of usual periods: dividing 128 bits takes tens of nanoseconds.
            None => {
                let product = u128::from(self.before) * u128::from(self.left);
                product.div_ceil(u128::from(self.period)) as u64
            }
        };
        self.present + before
    }

    fn status(&self, limit: u64) -> RateLimit {
        let reset = match (self.present, self.before) {
            (0, 0) => 0,
            (0, _) => self.left,
            _ => self.left.saturating_add(self.period),
        };
        RateLimit {
            limit: limit as u32,
            remaining: limit.saturating_sub(self.used()) as u32,
            reset: Duration::from_nanos(reset),
        }
    }

    /// How long until n more are within the limit, if nobody else asks; they are not now.
    fn wait(&self, n: u64, limit: u64) -> Option<u64> {
        let spare = limit.checked_sub(n)?;
        // How much of the window before may still be seen when `room` is left for its `count`.
        let visible = |room: u64, count: u64| {
            let share = u128::from(room) * u128::from(self.period) / u128::from(count.max(1));
            u64::try_from(share).map_or(self.period, |share| share.min(self.period))
        };
        Some(match spare.checked_sub(self.present) {
            // Within this window, as the one before goes out of sight.
            Some(room) => self.left.saturating_sub(visible(room, self.before)),
            // In the next, as this one does.
            None => self
                .left
                .saturating_add(self.period - visible(spare, self.present)),
        })
    }
}

fn word(window: u32, count: u64) -> u64 {
    // A count is within the limit, a u32; an estimate that is carried over is not much above.
    u64::from(window) << 32 | count.min(u64::from(u32::MAX))
}

fn number(word: u64) -> u32 {
    (word >> 32) as u32
}

fn count(word: u64) -> u64 {
    word & u64::from(u32::MAX)
}
