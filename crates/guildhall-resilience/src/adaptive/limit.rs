//! The limit and who is under way: two words, and a window beside them.

use std::ops::Deref;
use std::time::Instant;

use super::estimator::Estimator;
use super::permit::{AtLimit, Permit};
use super::window::{FULL, Window};
use super::{AdaptiveConfig, Sample};
use crate::Outcome;
use crate::origin::{Origin, nanos};
use crate::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use crate::sync::{Mutex, lock};

/// A concurrency limit that adapts.
///
/// Lock-free but for the request that closes a window, which moves the limit behind a lock; others pass it by.
///
/// ```
/// use guildhall_resilience::Outcome;
/// use guildhall_resilience::adaptive::{Adaptive, AdaptiveConfig};
/// use std::time::{Duration, Instant};
///
/// let now = Instant::now();
/// let adaptive = Adaptive::new(AdaptiveConfig::default(), 7, now);
/// let permit = Adaptive::acquire(&adaptive, now)?;
/// assert_eq!(adaptive.stats().in_flight, 1);
/// permit.record(Outcome::Success, now + Duration::from_millis(20));
/// assert_eq!(adaptive.stats().in_flight, 0);
/// # Ok::<(), guildhall_resilience::adaptive::AtLimit>(())
/// ```
#[derive(Debug)]
#[repr(align(64))]
pub struct Adaptive {
    in_flight: AtomicU32,
    limit: AtomicU32,
    /// When the window may close.
    closes: AtomicU64,
    min_samples: AtomicU32,
    origin: Origin,
    window: Apart,
    estimator: Mutex<Estimator>,
}

/// In a line of its own: requests that begin do not wait for those that end.
#[derive(Debug)]
#[repr(align(64))]
struct Apart(Window);

/// How a limit stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AdaptiveStats {
    /// Requests under way.
    pub in_flight: u32,
    /// How many there may be.
    pub limit: u32,
}

impl Adaptive {
    /// A limit that has seen nothing. `seed` is for the jitter of [`Vegas`](super::Vegas): different ones do not probe at
    /// the same time.
    pub fn new(config: AdaptiveConfig, seed: u64, now: Instant) -> Self {
        Self {
            in_flight: AtomicU32::new(0),
            limit: AtomicU32::new(config.initial),
            closes: AtomicU64::new(nanos(config.window)),
            min_samples: AtomicU32::new(config.min_samples),
            origin: Origin::new(now),
            window: Apart(Window::new()),
            estimator: Mutex::new(Estimator::new(config, seed)),
        }
    }

    /// A place among the requests under way. `B` is a reference within a function and an `Arc` in a future.
    ///
    /// # Errors
    /// [`AtLimit`] if there are as many as there may be.
    #[inline]
    pub fn acquire<B: Deref<Target = Self>>(this: B, now: Instant) -> Result<Permit<B>, AtLimit> {
        let limit = this.limit.load(Relaxed);
        let mut in_flight = this.in_flight.load(Relaxed);
        while in_flight < limit {
            let to = in_flight + 1;
            match this
                .in_flight
                .compare_exchange_weak(in_flight, to, Relaxed, Relaxed)
            {
                Ok(_) => return Ok(Permit::new(this, to, now)),
                Err(other) => in_flight = other,
            }
        }
        Err(AtLimit { limit })
    }

    /// How it stands.
    pub fn stats(&self) -> AdaptiveStats {
        AdaptiveStats {
            in_flight: self.in_flight.load(Relaxed),
            limit: self.limit.load(Relaxed),
        }
    }

    /// Requests under way for each that there may be: 0 when idle, 1 at the limit, more while a limit that fell is still
    /// exceeded.
    pub fn utilisation(&self) -> f64 {
        let stats = self.stats();
        f64::from(stats.in_flight) / f64::from(stats.limit.max(1))
    }

    /// Another configuration from now on (see the table in the [module](super)).
    pub fn reconfigure(&self, config: AdaptiveConfig, seed: u64) {
        let mut estimator = lock(&self.estimator);
        self.min_samples.store(config.min_samples, Relaxed);
        let limit = estimator.reconfigure(config, seed);
        self.limit.store(limit, Relaxed);
    }

    pub(super) fn release(&self) {
        self.in_flight.fetch_sub(1, Relaxed);
    }

    /// A request ended. Returns what the window showed if this closed one.
    pub(super) fn record(
        &self,
        outcome: Outcome,
        latency: u64,
        in_flight: u32,
        now: Instant,
    ) -> Option<Sample> {
        let window = &self.window.0;
        let ended = match outcome {
            Outcome::Success => window.success(latency, in_flight),
            Outcome::Failure => window.failure(in_flight),
            Outcome::Ignored => return None,
        };
        let now = self.origin.nanos(now);
        let due = now >= self.closes.load(Relaxed) && ended >= self.min_samples.load(Relaxed);
        if due || ended >= FULL {
            self.close(now)
        } else {
            None
        }
    }

    #[cold]
    fn close(&self, now: u64) -> Option<Sample> {
        // Somebody else closes it already: nothing is left to do.
        let mut estimator = self.estimator.try_lock().ok()?;
        let closes = self.closes.load(Relaxed);
        let totals = self.window.0.close();
        let sample = totals.sample(estimator.config.overload_share);
        if totals.successes == 0 && totals.failures == 0 {
            // Closed by another since this request ended.
            return None;
        }
        let next = now
            .max(closes)
            .saturating_add(nanos(estimator.config.window));
        self.closes.store(next, Relaxed);
        self.limit.store(estimator.close(&sample), Relaxed);
        Some(sample)
    }
}
