//! Additive increase, multiplicative decrease: TCP's rule, without looking at latency but for a bound.

use std::time::Duration;

use super::Sample;
use crate::ConfigError;

/// The parameters; the defaults are Netflix's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Aimd {
    /// What is left of the limit after a window of overload.
    pub backoff: f64,
    /// The average latency from which a window counts as overloaded.
    pub timeout: Duration,
}

impl Default for Aimd {
    fn default() -> Self {
        Self {
            backoff: 0.9,
            timeout: Duration::from_secs(5),
        }
    }
}

impl Aimd {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        ConfigError::unless(
            (0.5..1.0).contains(&self.backoff),
            "backoff",
            "must be at least 0.5 and below 1",
        )?;
        ConfigError::unless(
            !self.timeout.is_zero(),
            "timeout",
            "must be longer than zero",
        )
    }

    /// The limit after a window.
    pub(super) fn next(&self, limit: f64, sample: &Sample) -> f64 {
        let slow = sample.latency.is_some_and(|latency| latency > self.timeout);
        if sample.overloaded || slow {
            limit * self.backoff
        } else if f64::from(sample.in_flight) * 2.0 >= limit {
            limit + 1.0
        } else {
            limit
        }
    }
}
