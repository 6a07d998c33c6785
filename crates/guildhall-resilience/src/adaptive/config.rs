//! Within which bounds a limit moves, how often, and by what.

use std::time::Duration;

use super::{Aimd, Gradient, Vegas};
use crate::ConfigError;

/// What moves the limit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Algorithm {
    /// Latency now against its long average.
    Gradient(Gradient),
    /// Up by one, down by a share on overload.
    Aimd(Aimd),
    /// Latency now against the least seen.
    Vegas(Vegas),
}

impl Algorithm {
    fn check(&self) -> Result<(), ConfigError> {
        match self {
            Self::Gradient(gradient) => gradient.check(),
            Self::Aimd(aimd) => aimd.check(),
            Self::Vegas(vegas) => vegas.check(),
        }
    }
}

/// The configuration of an [`Adaptive`](super::Adaptive) limit.
///
/// ```
/// use guildhall_resilience::adaptive::{AdaptiveConfig, Aimd, Algorithm};
///
/// let config = AdaptiveConfig::new(Algorithm::Aimd(Aimd::default()))?.with_limits(5, 10, 100)?;
/// assert_eq!(config.initial(), 10);
/// # Ok::<(), guildhall_resilience::ConfigError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdaptiveConfig {
    pub(super) algorithm: Algorithm,
    pub(super) min: u32,
    pub(super) initial: u32,
    pub(super) max: u32,
    pub(super) window: Duration,
    pub(super) min_samples: u32,
    pub(super) overload_share: f64,
}

impl Default for AdaptiveConfig {
    /// The gradient, from 20 on between 20 and 200 (Netflix's), in windows of 100 ms with at least 10 requests.
    fn default() -> Self {
        Self {
            algorithm: Algorithm::Gradient(Gradient::default()),
            min: 20,
            initial: 20,
            max: 200,
            window: Duration::from_millis(100),
            min_samples: 10,
            overload_share: 0.1,
        }
    }
}

impl AdaptiveConfig {
    /// The defaults with this algorithm.
    ///
    /// # Errors
    /// If one of its parameters is out of range.
    pub fn new(algorithm: Algorithm) -> Result<Self, ConfigError> {
        algorithm.check()?;
        Ok(Self {
            algorithm,
            ..Self::default()
        })
    }

    /// Between which limits, and which at first.
    ///
    /// # Errors
    /// Unless 1 ≤ `min` ≤ `initial` ≤ `max` ≤ a million.
    pub fn with_limits(self, min: u32, initial: u32, max: u32) -> Result<Self, ConfigError> {
        ConfigError::unless(
            min >= 1,
            "min",
            "must be at least 1, or a limit that falls to it never rises again",
        )?;
        ConfigError::unless(
            (min..=max).contains(&initial),
            "initial",
            "must lie between `min` and `max`",
        )?;
        ConfigError::unless(max <= 1_000_000, "max", "must be at most a million")?;
        Ok(Self {
            min,
            initial,
            max,
            ..self
        })
    }

    /// How long a window is at least, and of how many requests.
    ///
    /// # Errors
    /// If one of them is zero, or `min_samples` is over 100,000.
    pub fn with_window(self, window: Duration, min_samples: u32) -> Result<Self, ConfigError> {
        ConfigError::unless(!window.is_zero(), "window", "must be longer than zero")?;
        ConfigError::unless(
            (1..=100_000).contains(&min_samples),
            "min_samples",
            "must be between 1 and 100,000",
        )?;
        Ok(Self {
            window,
            min_samples,
            ..self
        })
    }

    /// The share of failed requests from which a window counts as overloaded.
    ///
    /// # Errors
    /// Unless it is above 0 and at most 1.
    pub fn with_overload_share(self, overload_share: f64) -> Result<Self, ConfigError> {
        ConfigError::unless(
            overload_share > 0.0 && overload_share <= 1.0,
            "overload_share",
            "must be above 0 and at most 1",
        )?;
        Ok(Self {
            overload_share,
            ..self
        })
    }

    /// The least limit.
    pub fn min(&self) -> u32 {
        self.min
    }

    /// The limit at first.
    pub fn initial(&self) -> u32 {
        self.initial
    }

    /// The greatest limit.
    pub fn max(&self) -> u32 {
        self.max
    }
}
