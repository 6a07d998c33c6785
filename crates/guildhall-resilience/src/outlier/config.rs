//! The settings of outlier ejection: Envoy's, with Envoy's defaults where they are switched on.

use std::time::Duration;

use crate::ConfigError;

/// Ejects endpoints whose success rate is far below that of their peers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SuccessRate {
    /// How many endpoints must have the volume: fewer say nothing about what is usual. Envoy: 5.
    pub minimum_hosts: u32,
    /// How many requests an endpoint must have had in the interval. Envoy: 100.
    pub volume: u32,
    /// How many standard deviations below the mean is too far. Envoy: 1.9.
    pub deviations: f64,
}

impl Default for SuccessRate {
    fn default() -> Self {
        Self {
            minimum_hosts: 5,
            volume: 100,
            deviations: 1.9,
        }
    }
}

/// Ejects endpoints of whose requests a given share failed, whatever their peers do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FailurePercentage {
    /// How many endpoints must have the volume. Envoy: 5.
    pub minimum_hosts: u32,
    /// How many requests an endpoint must have had in the interval. Envoy: 50.
    pub volume: u32,
    /// The share of failures, over 0 and up to 1. Envoy: 0.85.
    pub share: f64,
}

impl Default for FailurePercentage {
    fn default() -> Self {
        Self {
            minimum_hosts: 5,
            volume: 50,
            share: 0.85,
        }
    }
}

/// What ejects an endpoint, and for how long. Change the fields you mean and have them checked by
/// [`Outlier::new`](super::Outlier::new).
///
/// ```
/// use guildhall_resilience::outlier::{Config, FailurePercentage};
///
/// let config = Config {
///     consecutive_gateway_failures: Some(3),
///     failure_percentage: Some(FailurePercentage { minimum_hosts: 3, ..Default::default() }),
///     ..Config::default()
/// };
/// assert!(config.check().is_ok());
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Failures (of any kind) without a success between them. Envoy: 5.
    pub consecutive_failures: Option<u32>,
    /// Gateway failures (502, 503, 504, no answer) without any other answer between them. Envoy: 5, not enforced; here
    /// off.
    pub consecutive_gateway_failures: Option<u32>,
    /// Looked at once an interval. On, as in Envoy.
    pub success_rate: Option<SuccessRate>,
    /// Looked at once an interval. Off, as in Envoy.
    pub failure_percentage: Option<FailurePercentage>,
    /// How often [`Outlier::sweep`](super::Outlier::sweep) should be called: what an interval is above. Envoy: 10 s.
    pub interval: Duration,
    /// The first ejection's time; the n-th in a row lasts n times as long. Envoy: 30 s.
    pub base_ejection: Duration,
    /// The longest ejection's time. Envoy: 300 s.
    pub max_ejection: Duration,
    /// The share of a set that may be ejected at once, over 0 and up to 1: rounded down, but one of two always may, and
    /// the last one never. Envoy: 0.1.
    pub max_ejected_share: f64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            consecutive_failures: Some(5),
            consecutive_gateway_failures: None,
            success_rate: Some(SuccessRate::default()),
            failure_percentage: None,
            interval: Duration::from_secs(10),
            base_ejection: Duration::from_secs(30),
            max_ejection: Duration::from_secs(300),
            max_ejected_share: 0.1,
        }
    }
}

impl Config {
    /// Whether the settings make sense.
    ///
    /// # Errors
    /// Names the first field that does not, and the remedy.
    pub fn check(&self) -> Result<(), ConfigError> {
        let none = "1 or more; `None` switches the rule off";
        let share = |share: f64| share > 0.0 && share <= 1.0;
        let failures = self.consecutive_failures != Some(0);
        ConfigError::unless(failures, "consecutive_failures", none)?;
        let failures = self.consecutive_gateway_failures != Some(0);
        ConfigError::unless(failures, "consecutive_gateway_failures", none)?;
        if let Some(rule) = self.success_rate {
            let deviations = rule.deviations > 0.0 && rule.deviations.is_finite();
            ConfigError::unless(deviations, "success_rate.deviations", "more than 0")?;
            ConfigError::unless(rule.volume > 0, "success_rate.volume", "1 or more")?;
        }
        if let Some(rule) = self.failure_percentage {
            let remedy = "a share over 0 and up to 1: half is 0.5";
            ConfigError::unless(share(rule.share), "failure_percentage.share", remedy)?;
            ConfigError::unless(rule.volume > 0, "failure_percentage.volume", "1 or more")?;
        }
        let some = !self.interval.is_zero();
        ConfigError::unless(some, "interval", "more than nothing")?;
        let some = !self.base_ejection.is_zero();
        ConfigError::unless(some, "base_ejection", "more than nothing")?;
        let ordered = self.base_ejection <= self.max_ejection;
        ConfigError::unless(ordered, "max_ejection", "no shorter than base_ejection")?;
        let remedy = "a share over 0 and up to 1: a tenth is 0.1";
        ConfigError::unless(share(self.max_ejected_share), "max_ejected_share", remedy)
    }
}
