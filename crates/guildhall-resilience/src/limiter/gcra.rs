//! GCRA, the generic cell rate algorithm: a token bucket that is one number.
//!
//! The number is the theoretical arrival time (TAT): when the bucket will be full again. A request costs one interval
//! (`period / limit`); it is admitted if the TAT it would leave is no further ahead than a full burst. Nothing has to
//! tick, nothing drifts, and the whole state is changed by one compare-and-set. After ITU-T I.371, and Brandur Leach,
//! "Rate Limiting, Cells, and GCRA"; governor does the same.
//!
//! # What an edit keeps
//!
//! | field | kept | changed |
//! |---|---|---|
//! | `limit`, `period` | the requests that are used up | how fast they come back |
//! | `burst` | the requests that are used up, at most the new burst | how many there are |
//! | any, by [`Gcra::resize`] | the requests that are left, at most the new burst | how fast they come back, how many there are |

use std::time::{Duration, Instant};

use super::{Allowed, Limited, Quota, RateLimit};
use crate::origin::Origin;
use crate::sync::atomic::{AtomicU64, Ordering::Relaxed};
use crate::sync::{Mutex, lock};

/// The rule, apart from where its number is kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rate {
    /// Nanoseconds of one request.
    pub(super) interval: u64,
    /// Nanoseconds of a full burst.
    pub(super) window: u64,
}

impl Rate {
    pub(super) fn new(quota: &Quota) -> Self {
        let interval = quota.interval();
        Self {
            interval,
            window: interval * u64::from(quota.burst()),
        }
    }

    /// The TAT after a request of this cost, or how much too early it comes.
    #[inline]
    pub(super) fn next(self, tat: u64, now: u64, cost: u64) -> Result<u64, u64> {
        let next = tat.max(now) + cost;
        let latest = now + self.window;
        if next <= latest {
            Ok(next)
        } else {
            Err(next - latest)
        }
    }

    #[inline]
    pub(super) fn allowed(self, tat: u64, now: u64) -> Allowed {
        Allowed {
            ahead: tat.saturating_sub(now),
            interval: self.interval,
            window: self.window,
        }
    }

    #[cold]
    pub(super) fn limited(self, tat: u64, now: u64, early: Option<u64>) -> Limited {
        let left = self.allowed(tat, now);
        Limited::new(
            left.status().limit,
            left.remaining(),
            early.map(Duration::from_nanos),
        )
    }

    /// The nanoseconds of `n` requests; `None` if that is more than a full burst.
    #[inline]
    pub(super) fn cost(self, n: u32) -> Option<u64> {
        self.interval
            .checked_mul(u64::from(n))
            .filter(|cost| *cost <= self.window)
    }

    /// The TAT under another rate with the same requests used up, at most all of them.
    pub(super) fn carried(self, tat: u64, now: u64, to: Self) -> u64 {
        let ahead = u128::from(tat.saturating_sub(now)) * u128::from(to.interval);
        let ahead = ahead.div_ceil(u128::from(self.interval));
        now + u64::try_from(ahead).unwrap_or(u64::MAX).min(to.window)
    }

    /// The TAT under another rate with the same requests left, at most a full burst.
    fn left_over(self, tat: u64, now: u64, to: Self) -> u64 {
        let left = self.window.saturating_sub(tat.saturating_sub(now));
        let left = u128::from(left) * u128::from(to.interval) / u128::from(self.interval);
        now + to
            .window
            .saturating_sub(u64::try_from(left).unwrap_or(u64::MAX))
    }
}

/// A rate limiter for what all callers share: a burst at once, then evenly at the rate.
///
/// Lock-free; the state is one `AtomicU64`, and a refusal writes nothing, so that a flood of refused requests costs no
/// traffic between cores. A `now` that is earlier than one seen before gives nothing back.
///
/// ```
/// use guildhall_resilience::limiter::{Gcra, Quota};
/// use std::time::{Duration, Instant};
///
/// let now = Instant::now();
/// let limiter = Gcra::new(Quota::per_minute(60)?.with_burst(10)?, now);
/// let allowed = limiter.check_n(4, now)?;
/// assert_eq!(allowed.remaining(), 6);
/// assert_eq!(limiter.status(now + Duration::from_secs(3)).remaining, 9);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
// A line of its own: a neighbour that is written often would slow every check down.
#[repr(align(64))]
pub struct Gcra {
    tat: Own,
    interval: AtomicU64,
    window: AtomicU64,
    origin: Origin,
    /// As it was given, and the lock of those who change it.
    quota: Mutex<Quota>,
}

/// The number that every admitted request writes, on a line of its own: what is only read stays in every core's cache.
#[derive(Debug)]
#[repr(align(64))]
struct Own(AtomicU64);

impl std::ops::Deref for Own {
    type Target = AtomicU64;

    #[inline]
    fn deref(&self) -> &AtomicU64 {
        &self.0
    }
}

impl Gcra {
    /// A limiter of which nothing is used up.
    pub fn new(quota: Quota, now: Instant) -> Self {
        let rate = Rate::new(&quota);
        Self {
            tat: Own(AtomicU64::new(0)),
            interval: AtomicU64::new(rate.interval),
            window: AtomicU64::new(rate.window),
            origin: Origin::new(now),
            quota: Mutex::new(quota),
        }
    }

    /// Whether one request may go.
    ///
    /// # Errors
    /// [`Limited`] if not: it says when it may.
    #[inline]
    pub fn check(&self, now: Instant) -> Result<Allowed, Limited> {
        let rate = self.rate();
        self.take(rate, rate.interval, self.origin.nanos(now))
    }

    /// Whether `n` requests (or one that weighs as much) may go, all or none.
    ///
    /// # Errors
    /// [`Limited`] if not; without a `retry_after` if `n` is over the burst.
    pub fn check_n(&self, n: u32, now: Instant) -> Result<Allowed, Limited> {
        let (rate, now) = (self.rate(), self.origin.nanos(now));
        match rate.cost(n) {
            Some(cost) => self.take(rate, cost, now),
            None => Err(rate.limited(self.tat.load(Relaxed), now, None)),
        }
    }

    #[inline]
    fn take(&self, rate: Rate, cost: u64, now: u64) -> Result<Allowed, Limited> {
        // Relaxed: the word is all there is, nothing else is published by it.
        let mut tat = self.tat.load(Relaxed);
        loop {
            let next = match rate.next(tat, now, cost) {
                Ok(next) => next,
                Err(early) => return Err(rate.limited(tat, now, Some(early))),
            };
            match self.tat.compare_exchange_weak(tat, next, Relaxed, Relaxed) {
                Ok(_) => return Ok(rate.allowed(next, now)),
                Err(other) => tat = other,
            }
        }
    }

    /// Where the limiter stands; takes nothing.
    pub fn status(&self, now: Instant) -> RateLimit {
        let now = self.origin.nanos(now);
        self.rate().allowed(self.tat.load(Relaxed), now).status()
    }

    /// The quota.
    pub fn quota(&self) -> Quota {
        *lock(&self.quota)
    }

    /// Another quota from now on; what is used up stays used up (see the table above).
    ///
    /// A check at the very moment may be judged by the old interval and the new burst.
    pub fn reconfigure(&self, quota: Quota, now: Instant) {
        let mut held = lock(&self.quota);
        let (old, new) = (self.rate(), Rate::new(&quota));
        let now = self.origin.nanos(now);
        self.interval.store(new.interval, Relaxed);
        self.window.store(new.window, Relaxed);
        let mut tat = self.tat.load(Relaxed);
        while let Err(other) =
            self.tat
                .compare_exchange_weak(tat, old.carried(tat, now, new), Relaxed, Relaxed)
        {
            tat = other;
        }
        *held = quota;
    }

    /// Another quota from now on; what is *left* stays left, so that a quota that moves between limiters makes no request
    /// pass twice: what one of them has used up does not come back as the unused part of another.
    ///
    /// ```
    /// # use guildhall_resilience::limiter::{Gcra, Quota};
    /// # use std::time::{Duration, Instant};
    /// let now = Instant::now();
    /// let limiter = Gcra::new(Quota::per_second(10)?, now);
    /// assert!(limiter.check_n(8, now).is_ok());
    /// limiter.resize(Quota::per_second(100)?, now);
    /// assert_eq!(limiter.status(now).remaining, 2);
    /// assert_eq!(limiter.status(now + Duration::from_millis(500)).remaining, 52);
    /// # Ok::<(), guildhall_resilience::ConfigError>(())
    /// ```
    pub fn resize(&self, quota: Quota, now: Instant) {
        let mut held = lock(&self.quota);
        let (old, new) = (self.rate(), Rate::new(&quota));
        let now = self.origin.nanos(now);
        let store = || {
            self.interval.store(new.interval, Relaxed);
            self.window.store(new.window, Relaxed);
        };
        // Whoever checks half way finds too little rather than too much.
        let slower = new.interval > old.interval;
        if slower {
            store();
        }
        let mut tat = self.tat.load(Relaxed);
        while let Err(other) =
            self.tat
                .compare_exchange_weak(tat, old.left_over(tat, now, new), Relaxed, Relaxed)
        {
            tat = other;
        }
        if !slower {
            store();
        }
        *held = quota;
    }

    #[inline]
    fn rate(&self) -> Rate {
        Rate {
            interval: self.interval.load(Relaxed),
            window: self.window.load(Relaxed),
        }
    }
}
