//! Vegas: the queue that a service holds, from the least latency it has shown.
//!
//! ```text
//! queue = ceil(limit × (1 - least / latency))
//! ```
//!
//! Brakmo and Peterson, "TCP Vegas" (1995). With l = max(1, log10(limit)): up by 6 l while the queue is at most l, by l
//! while it is below 3 l, down by l when it is over 6 l. The least latency is forgotten now and then, or a service that
//! has become slower for good would be throttled for ever.

use fastrand::Rng;

use super::Sample;
use crate::ConfigError;

/// The parameters; the defaults are Netflix's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Vegas {
    /// The least latency is measured anew after half to all of so many windows, for each of the limit.
    pub probe: u32,
    /// The share of the new limit that is taken over in a window.
    pub smoothing: f64,
}

impl Default for Vegas {
    fn default() -> Self {
        Self {
            probe: 30,
            smoothing: 1.0,
        }
    }
}

impl Vegas {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        ConfigError::unless(self.probe >= 1, "probe", "must be at least 1")?;
        ConfigError::unless(
            self.smoothing > 0.0 && self.smoothing <= 1.0,
            "smoothing",
            "must be above 0 and at most 1",
        )
    }

    /// The limit after a window.
    pub(super) fn next(&self, limit: f64, sample: &Sample, least: &mut Least) -> f64 {
        let step = limit.log10().floor().max(1.0);
        let to = match sample.latency {
            // Nothing but failures.
            None => limit - step,
            Some(latency) => {
                let latency = (latency.as_nanos() as f64).max(1.0);
                if least.learn(latency, f64::from(self.probe) * limit) {
                    return limit;
                }
                let queue = (limit * (1.0 - least.latency / latency)).ceil();
                if sample.overloaded {
                    limit - step
                } else if f64::from(sample.in_flight) * 2.0 < limit {
                    return limit;
                } else if queue <= step {
                    limit + 6.0 * step
                } else if queue < 3.0 * step {
                    limit + step
                } else if queue > 6.0 * step {
                    limit - step
                } else {
                    return limit;
                }
            }
        };
        limit * (1.0 - self.smoothing) + to * self.smoothing
    }
}

/// The least latency, and when it is forgotten.
#[derive(Clone, Debug)]
pub(super) struct Least {
    latency: f64,
    windows: f64,
    /// From a half to one, so that many limits do not probe at once.
    jitter: f64,
    random: Rng,
}

impl Least {
    pub(super) fn new(seed: u64) -> Self {
        let mut random = Rng::with_seed(seed);
        Self {
            latency: f64::INFINITY,
            windows: 0.0,
            jitter: 0.5 + random.f64() / 2.0,
            random,
        }
    }

    /// Whether this window's latency is the least from now on: then it says nothing about a queue.
    fn learn(&mut self, latency: f64, probe_after: f64) -> bool {
        self.windows += 1.0;
        let probe = self.windows >= probe_after * self.jitter;
        if probe {
            self.windows = 0.0;
            self.jitter = 0.5 + self.random.f64() / 2.0;
        }
        if probe || latency < self.latency {
            self.latency = latency;
            return true;
        }
        false
    }
}
