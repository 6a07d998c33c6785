//! How large a bulkhead is.

use std::time::Duration;

use crate::ConfigError;

/// How many requests at once, how many wait, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BulkheadConfig {
    max_concurrent: u32,
    max_queued: u32,
    max_wait: Duration,
}

impl BulkheadConfig {
    /// So many requests at once (resilience4j's default is 25, Envoy's 1024); nobody waits.
    ///
    /// # Errors
    /// If `max_concurrent` is zero.
    pub fn new(max_concurrent: u32) -> Result<Self, ConfigError> {
        ConfigError::unless(
            max_concurrent > 0,
            "max_concurrent",
            "must be at least 1, or no request ever gets through",
        )?;
        Ok(Self {
            max_concurrent,
            max_queued: 0,
            max_wait: Duration::ZERO,
        })
    }

    /// So many more may wait, each at most so long. Short queues serve best: what waits is late already.
    ///
    /// # Errors
    /// If one of the two is zero and the other is not, or more than a million may wait.
    pub fn with_queue(self, max_queued: u32, max_wait: Duration) -> Result<Self, ConfigError> {
        ConfigError::unless(
            max_queued <= 1_000_000,
            "max_queued",
            "must be at most a million",
        )?;
        ConfigError::unless(
            (max_queued == 0) == max_wait.is_zero(),
            "max_wait",
            "must be longer than zero if and only if somebody may wait",
        )?;
        Ok(Self {
            max_queued,
            max_wait,
            ..self
        })
    }

    /// Requests at once.
    pub fn max_concurrent(&self) -> u32 {
        self.max_concurrent
    }

    /// Requests that wait.
    pub fn max_queued(&self) -> u32 {
        self.max_queued
    }

    /// The longest wait.
    pub fn max_wait(&self) -> Duration {
        self.max_wait
    }
}
