//! The leaky queue: requests leave evenly at the rate, however they come.
//!
//! Nobody is held here: the limiter says how long to wait, and its word is when the line ends. The same number as
//! [GCRA's](super::Gcra), read as a place in line ("leaky bucket as a queue"; nginx's `limit_req` without `nodelay`,
//! Sentinel's `RateLimiterController`).
//!
//! # What an edit keeps
//!
//! | field | kept | changed |
//! |---|---|---|
//! | `limit`, `period` | every turn that was given | the turns after them |
//! | `max_wait` | every turn that was given | who is refused |

use std::time::{Duration, Instant};

use super::{Limited, Quota, Turn};
use crate::origin::{Origin, nanos};
use crate::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// No longer wait than this makes sense, and sums of times stay within 64 bits: 36 years.
const LONGEST: u64 = 1 << 60;

/// Paces requests, bounded: who would wait longer than `max_wait` is refused at once.
///
/// Lock-free. The quota's burst does not matter here: a line has none.
///
/// ```
/// use guildhall_resilience::limiter::{LeakyQueue, Quota};
/// use std::time::{Duration, Instant};
///
/// let now = Instant::now();
/// let queue = LeakyQueue::new(Quota::per_second(10)?, Duration::from_millis(150), now);
/// assert_eq!(queue.take(now)?.wait, Duration::ZERO);
/// let second = queue.take(now)?;
/// assert_eq!(second.wait, Duration::from_millis(100));
/// assert_eq!(queue.take(now).unwrap_err().retry_after, Some(Duration::from_millis(50)));
/// // Whoever does not want to wait any more gives the place back, for the next.
/// assert!(queue.give_back(second));
/// assert_eq!(queue.take(now)?.wait, Duration::from_millis(100));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[repr(align(64))]
pub struct LeakyQueue {
    /// When the line ends: the turn of whoever comes next.
    end: AtomicU64,
    interval: AtomicU64,
    max_wait: AtomicU64,
    origin: Origin,
}

impl LeakyQueue {
    /// A queue that nobody stands in.
    pub fn new(quota: Quota, max_wait: Duration, now: Instant) -> Self {
        Self {
            end: AtomicU64::new(0),
            interval: AtomicU64::new(quota.interval()),
            max_wait: AtomicU64::new(nanos(max_wait).min(LONGEST)),
            origin: Origin::new(now),
        }
    }

    /// A turn for one request.
    ///
    /// # Errors
    /// [`Limited`] if it would wait too long; it says when the line will be short enough.
    pub fn take(&self, now: Instant) -> Result<Turn, Limited> {
        self.take_n(1, now)
    }

    /// A turn for a request that weighs as much as `n`: those behind it wait so much longer.
    ///
    /// # Errors
    /// As [`take`](Self::take).
    pub fn take_n(&self, n: u32, now: Instant) -> Result<Turn, Limited> {
        let (interval, at) = (self.interval.load(Relaxed), self.origin.nanos(now));
        let max_wait = self.max_wait.load(Relaxed);
        let cost = interval.saturating_mul(u64::from(n)).min(LONGEST);
        let mut line = self.end.load(Relaxed);
        loop {
            let start = line.max(at);
            let wait = start - at;
            if wait > max_wait {
                let places = |time: u64| u32::try_from(time / interval).unwrap_or(u32::MAX);
                let early = Duration::from_nanos(wait - max_wait);
                return Err(Limited::new(
                    places(max_wait).saturating_add(1),
                    0,
                    Some(early),
                ));
            }
            let end = start + cost;
            match self.end.compare_exchange_weak(line, end, Relaxed, Relaxed) {
                Ok(_) => {
                    let wait = Duration::from_nanos(wait);
                    return Ok(Turn {
                        wait,
                        at: now + wait,
                        end,
                        cost,
                    });
                }
                Err(other) => line = other,
            }
        }
    }

    /// Gives a turn back that was not used. Whether that made the line shorter: it does so for the last in it only,
    /// as those behind have been told their times.
    pub fn give_back(&self, turn: Turn) -> bool {
        self.end
            .compare_exchange(turn.end, turn.end - turn.cost, Relaxed, Relaxed)
            .is_ok()
    }

    /// How long the next request would wait, refused or not.
    pub fn wait(&self, now: Instant) -> Duration {
        let line = self.end.load(Relaxed);
        Duration::from_nanos(line.saturating_sub(self.origin.nanos(now)))
    }

    /// Another rate and bound from now on; turns that were given stand.
    pub fn reconfigure(&self, quota: Quota, max_wait: Duration) {
        self.interval.store(quota.interval(), Relaxed);
        self.max_wait.store(nanos(max_wait).min(LONGEST), Relaxed);
    }
}
