//! How much a limiter lets through.

use std::time::Duration;

use crate::ConfigError;
use crate::origin::nanos;

/// The longest time a full burst may stand for, in nanoseconds: sums of times must stay within 64 bits.
pub(super) const LONGEST: u64 = 1 << 60;

/// So many requests in so much time, and so many of them at once.
///
/// The time between two requests, `period / limit`, is kept in whole nanoseconds and rounded up, so that no more than
/// the quota ever gets through; up to a million requests a second that costs less than a tenth of a percent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    limit: u32,
    period: Duration,
    burst: u32,
}

impl Quota {
    /// `limit` requests in each `period`, and as many at once.
    ///
    /// # Errors
    /// If `limit` or `period` is zero, there is less than a nanosecond for each request, or a full burst takes longer
    /// than 36 years to come back.
    pub fn new(limit: u32, period: Duration) -> Result<Self, ConfigError> {
        Self {
            limit,
            period,
            burst: limit,
        }
        .checked()
    }

    /// `limit` requests a second, and as many at once.
    ///
    /// # Errors
    /// If `limit` is zero or over a thousand million.
    pub fn per_second(limit: u32) -> Result<Self, ConfigError> {
        Self::new(limit, Duration::from_secs(1))
    }

    /// `limit` requests a minute, and as many at once.
    ///
    /// # Errors
    /// If `limit` is zero.
    pub fn per_minute(limit: u32) -> Result<Self, ConfigError> {
        Self::new(limit, Duration::from_secs(60))
    }

    /// The same rate, with so many requests at once after a pause.
    ///
    /// # Errors
    /// If `burst` is zero or takes longer than 36 years to come back.
    pub fn with_burst(self, burst: u32) -> Result<Self, ConfigError> {
        Self { burst, ..self }.checked()
    }

    /// Other figures, which are known to be possible.
    pub(super) fn with(self, limit: u32, period: Duration, burst: u32) -> Self {
        debug_assert!(
            Self {
                limit,
                period,
                burst
            }
            .checked()
            .is_ok()
        );
        Self {
            limit,
            period,
            burst,
        }
    }

    fn checked(self) -> Result<Self, ConfigError> {
        ConfigError::unless(
            self.limit > 0,
            "limit",
            "must be at least 1; to refuse everything, take the route away",
        )?;
        ConfigError::unless(!self.period.is_zero(), "period", "must be longer than zero")?;
        ConfigError::unless(
            self.burst > 0,
            "burst",
            "must be at least 1, or no request ever gets through",
        )?;
        ConfigError::unless(
            nanos(self.period) >= u64::from(self.limit),
            "limit",
            "must leave at least a nanosecond for each request of the period",
        )?;
        ConfigError::unless(
            self.interval()
                .checked_mul(u64::from(self.burst))
                .is_some_and(|time| time <= LONGEST),
            "period",
            "must be so short that a full burst comes back within 36 years",
        )?;
        Ok(self)
    }

    /// Requests in a period.
    pub fn limit(&self) -> u32 {
        self.limit
    }

    /// The period.
    pub fn period(&self) -> Duration {
        self.period
    }

    /// Requests at once.
    pub fn burst(&self) -> u32 {
        self.burst
    }

    /// Nanoseconds between two requests at the rate.
    pub(super) fn interval(&self) -> u64 {
        nanos(self.period).div_ceil(u64::from(self.limit).max(1))
    }
}
