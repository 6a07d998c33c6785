//! An algorithm with what it remembers. Runs once a window, behind a lock.

use super::gradient::Average;
use super::slow_start::SlowStart;
use super::vegas::Least;
use super::{AdaptiveConfig, Algorithm, Sample};

#[derive(Debug)]
pub(super) struct Estimator {
    pub(super) config: AdaptiveConfig,
    /// With the fraction that the limit in use is cut off by.
    limit: f64,
    long: Average,
    least: Least,
    slow_start: SlowStart,
}

impl Estimator {
    pub(super) fn new(config: AdaptiveConfig, seed: u64) -> Self {
        Self {
            config,
            limit: f64::from(config.initial),
            long: Average::default(),
            least: Least::new(seed),
            slow_start: SlowStart::default(),
        }
    }

    /// The limit after a window.
    pub(super) fn close(&mut self, sample: &Sample) -> u32 {
        let next = match &self.config.algorithm {
            Algorithm::Gradient(gradient) => gradient.next(
                self.limit,
                f64::from(self.config.min),
                sample,
                &mut self.long,
            ),
            Algorithm::Aimd(aimd) => aimd.next(self.limit, sample),
            Algorithm::Vegas(vegas) => vegas.next(self.limit, sample, &mut self.least),
        };
        let next = self.slow_start.after(self.limit, next, sample);
        self.bound(next)
    }

    pub(super) fn reconfigure(&mut self, config: AdaptiveConfig, seed: u64) -> u32 {
        let same = std::mem::discriminant(&config.algorithm)
            == std::mem::discriminant(&self.config.algorithm);
        if !same {
            self.long = Average::default();
            self.least = Least::new(seed);
        }
        self.config = config;
        self.bound(self.limit)
    }

    fn bound(&mut self, limit: f64) -> u32 {
        let (min, max) = (f64::from(self.config.min), f64::from(self.config.max));
        // Whatever a formula makes of odd numbers: a limit that is none of them stays.
        self.limit = if limit.is_nan() { self.limit } else { limit }.clamp(min, max);
        self.limit as u32
    }
}
