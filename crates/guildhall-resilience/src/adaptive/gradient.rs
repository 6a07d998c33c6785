//! The gradient of latency: Netflix's Gradient2, with the headroom and the bounds of Envoy's gradient controller.
//!
//! ```text
//! gradient = clamp(tolerance × (1 + 1 / √n) × long / short, 0.5, 2)
//! limit'   = limit × (1 - smoothing) + (limit × gradient + max(queue, √limit)) × smoothing
//! ```
//!
//! `short` is the average latency of the window's `n` successes, `long` an exponential average of many windows. While
//! latency is steady, the gradient is about 1 and the limit grows by the queue that is allowed; when requests queue,
//! `short` runs ahead of `long`.
//!
//! - **√limit of headroom**, as in Netflix's first gradient (`SquareRootFunction`) and Envoy's (`gradient_controller.cc`):
//!   a service that is to be busy needs a queue that grows with the square root of what it does at once (Halfin and Whitt,
//!   "Heavy-Traffic Limits for Queues with Many Exponential Servers", 1981). With four for whatever limit, a service for
//!   40 at once was kept at 89 to 93 % of its capacity.
//! - **Up to 2**, Envoy's bound, where Netflix has 1: cut off at 1, the noise of `short` could only lower the limit.
//! - **1 / √n**, the relative standard error of an average of n exponential times: a difference within it is none.
//! - **What the limit makes of latency is no news.** Where requests fill half of the limit, part of their latency is the
//!   queue that it allows, and a `long` that learns it raises the limit without end. There it learns upwards a tenth as
//!   fast; with windows of 100 ms, as fast as Netflix's with windows of a second. A limit that cannot fall any more lets
//!   it learn as everywhere (Envoy, too, measures anew when it finds itself there): then the service has become slower for
//!   good.
//! - **No lesson from survivors.** What succeeds among failures, or first after a pause, is the quickest of its kind. A
//!   `long` that learned from it took a healthy service for a slow one, for minutes in a simulation of one that flaps.

use super::Sample;
use crate::ConfigError;

/// Windows whose plain average the long one begins with, before it turns exponential.
const WARM_UP: u32 = 10;

/// How many times as slowly the long average learns that latency has risen while the limit is in use.
const UNDER_LOAD: u32 = 10;

/// The parameters; the defaults are Netflix's but for the tolerance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gradient {
    /// How much the limit may grow in a window while latency is steady, before smoothing: the queue that is allowed. The
    /// square root of the limit where that is more.
    pub queue: u32,
    /// The share of the new limit that is taken over in a window.
    pub smoothing: f64,
    /// How many times the long average latency may be before the limit falls. By default 1, as when it was published;
    /// Netflix's library has 1.5 by now, with which the limit of a saturated service follows its own queue up: for a
    /// capacity of 100 it was at 225 after 8,000 rounds of a simulation, and rising, where 1 was at 118.
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

    /// The limit after a window; `min` is the least there may be.
    pub(super) fn next(&self, limit: f64, min: f64, sample: &Sample, long: &mut Average) -> f64 {
        let in_use = f64::from(sample.in_flight) >= limit / 2.0;
        let gradient = match sample.latency {
            // What succeeds among failures is the quickest, and says nothing about what is usual.
            Some(latency) if !sample.overloaded => {
                let short = (latency.as_nanos() as f64).max(1.0);
                let windows = if in_use && limit > min && short > long.value {
                    self.long_window.saturating_mul(UNDER_LOAD)
                } else {
                    self.long_window
                };
                let average = long.learn(short, windows);
                let error = 1.0 / f64::from(sample.successes.max(1)).sqrt();
                (self.tolerance * (1.0 + error) * average / short).clamp(0.5, 2.0)
            }
            _ => 0.5,
        };
        if !sample.overloaded && !in_use {
            // The limit is not what holds anybody back; latency says nothing about it.
            return limit;
        }
        let queue = f64::from(self.queue).max(limit.sqrt());
        let to = limit * gradient + queue;
        limit * (1.0 - self.smoothing) + to * self.smoothing
    }
}

/// An exponential average that begins as a plain one.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Average {
    value: f64,
    count: u32,
    /// Windows in a row that were less than half of it.
    halves: u32,
}

/// So many windows in a row at half of the average are no accident. The first ones after a pause are: of what has begun,
/// the quickest ends first.
const HALVES: u32 = 3;

impl Average {
    fn learn(&mut self, value: f64, windows: u32) -> f64 {
        self.count = self.count.saturating_add(1);
        let factor = if self.count <= WARM_UP {
            1.0 / f64::from(self.count)
        } else {
            2.0 / (f64::from(windows) + 1.0)
        };
        self.value += (value - self.value) * factor;
        self.halves = match self.value > value * 2.0 {
            true => self.halves.saturating_add(1),
            false => 0,
        };
        let average = self.value;
        if self.halves >= HALVES {
            // Back to normal after a long overload: the average must not take as long to come down.
            self.value *= 0.9;
        }
        average
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::time::Duration;

    use super::*;

    fn sample(millis: u64, overloaded: bool) -> Sample {
        Sample {
            latency: Some(Duration::from_millis(millis)),
            successes: 100,
            in_flight: 50,
            overloaded,
        }
    }

    /// The average after these windows, which follow twenty of 20 ms, in milliseconds.
    fn learned(windows: impl IntoIterator<Item = Sample>) -> f64 {
        let (gradient, mut long) = (Gradient::default(), Average::default());
        let twenty = (0..20).map(|_| sample(20, false));
        for sample in twenty.chain(windows) {
            gradient.next(50.0, 20.0, &sample, &mut long);
        }
        long.value / 1e6
    }

    #[test]
    fn survivors_teach_nothing() {
        assert_eq!(learned((0..50).map(|_| sample(2, true))), 20.0);
        // Two quick windows move it as any others do, and no more.
        let two = learned((0..2).map(|_| sample(2, false)));
        assert!((19.8..20.0).contains(&two), "{two}");
        let many = learned((0..30).map(|_| sample(2, false)));
        assert!(many < 5.0, "{many}");
    }

    #[test]
    fn a_queue_of_the_limits_own_making_is_learned_slowly() {
        let busy = learned((0..300).map(|_| sample(40, false)));
        let idle = learned((0..300).map(|_| Sample {
            in_flight: 10,
            ..sample(40, false)
        }));
        assert!(busy < 23.0 && idle > 30.0, "{busy} {idle}");
    }

    #[test]
    fn the_queue_allowed_grows_with_the_limit_and_noise_is_no_queue() {
        let next = |limit: f64, millis: u64| {
            let (gradient, mut long) = (Gradient::default(), Average::default());
            for _ in 0..20 {
                gradient.next(limit, 1.0, &sample(20, false), &mut long);
            }
            let sample = Sample {
                in_flight: limit as u32,
                ..sample(millis, false)
            };
            gradient.next(limit, 1.0, &sample, &mut long) - limit
        };
        // A fifth of 4, of √100, of √400; and of the tenth that 100 times may be off by.
        for (limit, queue) in [(9.0, 4.0), (100.0, 10.0), (400.0, 20.0)] {
            let grown = next(limit, 20);
            assert!(
                (grown - 0.2 * (queue + limit / 10.0)).abs() < 1e-9,
                "{grown}"
            );
        }
        // 22 ms is 20 within that; 40 ms is not.
        assert!(next(100.0, 22) > 1.9 && next(100.0, 40) < -6.0);
    }
}
