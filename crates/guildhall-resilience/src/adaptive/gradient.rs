//! The gradient of latency: Netflix's Gradient2.
//!
//! ```text
//! gradient = clamp(tolerance × long / short, 0.5, 1)
//! limit'   = limit × (1 - smoothing) + (limit × gradient + queue) × smoothing
//! ```
//!
//! `short` is the window's average latency, `long` an exponential average of many windows. While latency is steady, the
//! gradient is 1 and the limit grows by the queue that is allowed; when requests queue, `short` runs ahead of `long`.

use super::Sample;
use crate::ConfigError;

/// Windows whose plain average the long one begins with, before it turns exponential.
const WARM_UP: u32 = 10;

/// The parameters; the defaults are Netflix's but for the tolerance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gradient {
    /// How much the limit may grow in a window while latency is steady, before smoothing: the queue that is allowed.
    pub queue: u32,
    /// The share of the new limit that is taken over in a window.
    pub smoothing: f64,
    /// How many times the long average latency may be before the limit falls. By default 1, as when it was published;
    /// Netflix's library has 1.5 by now, with which the limit of a saturated service follows its own queue up: for a
    /// capacity of 100 it ended at 500, the greatest, in a simulation where 1 ends at 113.
    pub tolerance: f64,
    /// How many windows the long average looks back on.
    pub long_window: u32,
}

impl Default for Gradient {
    fn default() -> Self {
        Self {
            queue: 4,
            smoothing: 0.2,
            tolerance: 1.0,
            long_window: 600,
        }
    }
}

impl Gradient {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        ConfigError::unless(
            (1..=10_000).contains(&self.queue),
            "queue",
            "must be between 1 and 10,000, or the limit never rises",
        )?;
        ConfigError::unless(
            self.smoothing > 0.0 && self.smoothing <= 1.0,
            "smoothing",
            "must be above 0 and at most 1",
        )?;
        ConfigError::unless(
            (1.0..=100.0).contains(&self.tolerance),
            "tolerance",
            "must be between 1 and 100",
        )?;
        ConfigError::unless(
            self.long_window >= WARM_UP,
            "long_window",
            "must be at least 10 windows",
        )
    }

    /// The limit after a window.
    pub(super) fn next(&self, limit: f64, sample: &Sample, long: &mut Average) -> f64 {
        let gradient = match sample.latency {
            None => 0.5,
            Some(latency) => {
                let short = (latency.as_nanos() as f64).max(1.0);
                let average = long.add(short, self.long_window);
                if average / short > 2.0 {
                    // Back to normal after a long overload: the average must not take as long to come down.
                    long.scale(0.9);
                }
                if sample.overloaded {
                    0.5
                } else {
                    (self.tolerance * average / short).clamp(0.5, 1.0)
                }
            }
        };
        if !sample.overloaded && f64::from(sample.in_flight) < limit / 2.0 {
            // The limit is not what holds anybody back; latency says nothing about it.
            return limit;
        }
        let to = limit * gradient + f64::from(self.queue);
        limit * (1.0 - self.smoothing) + to * self.smoothing
    }
}

/// An exponential average that begins as a plain one.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Average {
    value: f64,
    count: u32,
}

impl Average {
    fn add(&mut self, value: f64, window: u32) -> f64 {
        self.count = self.count.saturating_add(1);
        let factor = if self.count <= WARM_UP {
            1.0 / f64::from(self.count)
        } else {
            2.0 / (f64::from(window) + 1.0)
        };
        self.value += (value - self.value) * factor;
        self.value
    }

    fn scale(&mut self, by: f64) {
        self.value *= by;
    }
}
