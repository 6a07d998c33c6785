//! Warm-up: a service that was idle gets a third of the rate first, and the whole of it after a while.
//!
//! Guava's `SmoothWarmingUp` (and Sentinel's `WarmUpController` after it). Idle time stores permits, up to a most; the
//! fuller the store, the colder the service, and the more time a permit out of it costs:
//!
//! ```text
//!   time per
//!   permit ^
//!     cold +                  /|      cold = factor × stable
//!          |                 / |      the area between `threshold` and `most`
//!          |                /  |      is the warm-up time
//!   stable +---------------/   |      the one left of it is half of that
//!          |              |    |
//!          0---------- threshold - most ---> permits stored
//! ```
//!
//! As there, a request pays for the one before it: it goes at once if the last one's time is over.
//!
//! # What an edit keeps
//!
//! | field | kept | changed |
//! |---|---|---|
//! | `limit`, `period`, `warm_up`, `cold_factor` | how cold it is, in proportion; every turn that was given | the curve |
//! | `max_wait` | everything | who is refused |

use std::time::{Duration, Instant};

use super::{Limited, Quota, Turn};
use crate::ConfigError;
use crate::origin::{Origin, nanos};
use crate::sync::{Mutex, lock};

/// How a [`WarmUp`] warms up.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WarmUpConfig {
    quota: Quota,
    warm_up: Duration,
    cold_factor: f64,
    max_wait: Duration,
}

impl WarmUpConfig {
    /// The rate when warm, and how long it takes to get there at full use. A cold service gets a third of the rate
    /// (Guava's and Sentinel's factor), and nobody waits. The quota's burst does not matter.
    ///
    /// # Errors
    /// If `warm_up` is zero or over 30 days.
    pub fn new(quota: Quota, warm_up: Duration) -> Result<Self, ConfigError> {
        const MOST: Duration = Duration::from_secs(30 * 24 * 3600);
        ConfigError::unless(
            !warm_up.is_zero() && warm_up <= MOST,
            "warm_up",
            "must be longer than zero and at most 30 days; without a warm-up, take another limiter",
        )?;
        Ok(Self {
            quota,
            warm_up,
            cold_factor: 3.0,
            max_wait: Duration::ZERO,
        })
    }

    /// The rate when warm.
    pub fn quota(&self) -> Quota {
        self.quota
    }

    /// How many times slower a cold service is asked.
    ///
    /// # Errors
    /// If it is not above 1 or over 1000.
    pub fn with_cold_factor(self, cold_factor: f64) -> Result<Self, ConfigError> {
        ConfigError::unless(
            cold_factor > 1.0 && cold_factor <= 1000.0,
            "cold_factor",
            "must be above 1 and at most 1000",
        )?;
        Ok(Self {
            cold_factor,
            ..self
        })
    }

    /// How long a request may have to wait for its turn before it is refused; zero refuses whoever cannot go at once.
    #[must_use]
    pub fn with_max_wait(self, max_wait: Duration) -> Self {
        Self { max_wait, ..self }
    }
}

/// The curve of a configuration; times in nanoseconds.
#[derive(Clone, Copy, Debug)]
struct Curve {
    stable: f64,
    slope: f64,
    threshold: f64,
    most: f64,
    /// Idle time that stores one permit: an empty store fills within the warm-up time.
    cool_down: f64,
    max_wait: u64,
}

impl Curve {
    fn new(config: &WarmUpConfig) -> Self {
        let stable = config.quota.interval() as f64;
        let cold = stable * config.cold_factor;
        let warm_up = nanos(config.warm_up) as f64;
        let threshold = 0.5 * warm_up / stable;
        let above = 2.0 * warm_up / (stable + cold);
        Self {
            stable,
            slope: (cold - stable) / above,
            threshold,
            most: threshold + above,
            cool_down: warm_up / (threshold + above),
            max_wait: nanos(config.max_wait).min(1 << 60),
        }
    }

    /// The time of `n` permits when so many are stored: the area under the curve.
    fn time(&self, stored: f64, n: f64) -> f64 {
        let above = (stored - self.threshold).max(0.0);
        let cold = above.min(n);
        // A trapezium: from `above` down by `cold`.
        let sides = 2.0 * self.stable + self.slope * (2.0 * above - cold);
        cold * sides / 2.0 + (n - cold) * self.stable
    }
}

#[derive(Debug)]
struct State {
    curve: Curve,
    stored: f64,
    /// When the last request's time is over.
    next: u64,
}

impl State {
    /// Idle time up to `now` is stored.
    fn advance(&mut self, now: u64) {
        if now > self.next {
            let stored = (now - self.next) as f64 / self.curve.cool_down;
            self.stored = (self.stored + stored).min(self.curve.most);
            self.next = now;
        }
    }
}

/// A pacing limiter whose rate rises while it is used and falls while it is not.
///
/// Two numbers change together, so they stand behind a lock, which is held for some tens of nanoseconds.
///
/// ```
/// use guildhall_resilience::limiter::{Quota, WarmUp, WarmUpConfig};
/// use std::time::{Duration, Instant};
///
/// let config = WarmUpConfig::new(Quota::per_second(100)?, Duration::from_secs(10))?;
/// let mut now = Instant::now();
/// let limiter = WarmUp::new(config, now);
/// assert!(limiter.take(now).is_ok());
/// // Cold: the next request may go after almost three times the 10 ms.
/// let wait = limiter.take(now).unwrap_err().retry_after.unwrap();
/// assert!(wait > Duration::from_millis(29) && wait < Duration::from_millis(30));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct WarmUp {
    origin: Origin,
    state: Mutex<State>,
}

impl WarmUp {
    /// A limiter that is cold.
    pub fn new(config: WarmUpConfig, now: Instant) -> Self {
        let curve = Curve::new(&config);
        Self {
            origin: Origin::new(now),
            state: Mutex::new(State {
                curve,
                stored: curve.most,
                next: 0,
            }),
        }
    }

    /// A turn for one request.
    ///
    /// # Errors
    /// [`Limited`] if it would wait too long; it says when it would not.
    pub fn take(&self, now: Instant) -> Result<Turn, Limited> {
        self.take_n(1, now)
    }

    /// A turn for a request that weighs as much as `n`.
    ///
    /// # Errors
    /// As [`take`](Self::take).
    pub fn take_n(&self, n: u32, now: Instant) -> Result<Turn, Limited> {
        let at = self.origin.nanos(now);
        let mut state = lock(&self.state);
        state.advance(at);
        let wait = state.next - at.min(state.next);
        if wait > state.curve.max_wait {
            let early = Duration::from_nanos(wait - state.curve.max_wait);
            return Err(Limited::new(1, 0, Some(early)));
        }
        let n = f64::from(n);
        // What is not stored is made at the stable rate, which is what the curve says left of the threshold.
        let cost = state.curve.time(state.stored, n) as u64;
        state.stored = (state.stored - n).max(0.0);
        state.next += cost;
        let wait = Duration::from_nanos(wait);
        Ok(Turn {
            wait,
            at: now + wait,
            end: state.next,
            cost,
        })
    }

    /// How cold it is: 1 after a long pause, 0 at the whole rate.
    pub fn coldness(&self, now: Instant) -> f64 {
        let mut state = lock(&self.state);
        state.advance(self.origin.nanos(now));
        let curve = state.curve;
        ((state.stored - curve.threshold) / (curve.most - curve.threshold)).max(0.0)
    }

    /// Another curve from now on; as cold as before, and turns that were given stand.
    pub fn reconfigure(&self, config: WarmUpConfig, now: Instant) {
        let mut state = lock(&self.state);
        state.advance(self.origin.nanos(now));
        let curve = Curve::new(&config);
        state.stored *= curve.most / state.curve.most;
        state.curve = curve;
    }
}
