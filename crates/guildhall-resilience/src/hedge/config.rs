//! When a hedge is sent.

use std::time::Duration;

use crate::{ConfigError, retry::BudgetConfig};

/// How long the attempts before have to answer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum HedgeDelay {
    /// Always the same time.
    Fixed(Duration),
    /// As long as this share of requests takes: 0.95 hedges one in twenty.
    Quantile {
        /// Above 0 and below 1.
        share: f64,
        /// Never sooner than this, however fast the service is.
        least: Duration,
    },
}

/// When a hedge is sent, and how many.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HedgeConfig {
    pub(super) delay: HedgeDelay,
    pub(super) hedges: u32,
    pub(super) samples: u32,
}

impl HedgeConfig {
    /// One hedge after a fixed time.
    pub fn after(delay: Duration) -> Self {
        Self {
            delay: HedgeDelay::Fixed(delay),
            hedges: 1,
            samples: 0,
        }
    }

    /// One hedge after the time that `share` of requests take, once 100 of them were measured, and never before
    /// 1 ms: below that a second request costs more than it wins.
    ///
    /// # Errors
    /// If `share` is not above 0 and below 1.
    pub fn quantile(share: f64) -> Result<Self, ConfigError> {
        ConfigError::unless(
            share > 0.0 && share < 1.0,
            "share",
            "must be above 0 and below 1; 0.95 is usual",
        )?;
        Ok(Self {
            delay: HedgeDelay::Quantile {
                share,
                least: Duration::from_millis(1),
            },
            hedges: 1,
            samples: 100,
        })
    }

    /// The same, never sooner than this (without effect on a fixed delay).
    #[must_use]
    pub fn with_least(self, least: Duration) -> Self {
        let delay = match self.delay {
            HedgeDelay::Quantile { share, .. } => HedgeDelay::Quantile { share, least },
            fixed @ HedgeDelay::Fixed(_) => fixed,
        };
        Self { delay, ..self }
    }

    /// The same with so many hedges for a request, each after the same delay again.
    ///
    /// # Errors
    /// If there are more than 4: gRPC's limit of five attempts.
    pub fn with_hedges(self, hedges: u32) -> Result<Self, ConfigError> {
        ConfigError::unless(hedges <= 4, "hedges", "must be at most 4")?;
        Ok(Self { hedges, ..self })
    }

    /// The same, once so many requests of the last minute were measured.
    #[must_use]
    pub fn with_samples(self, samples: u32) -> Self {
        Self { samples, ..self }
    }

    /// The delay.
    pub fn delay(&self) -> HedgeDelay {
        self.delay
    }

    /// How many hedges a request has at most.
    pub fn hedges(&self) -> u32 {
        self.hedges
    }

    /// What hedges may cost together if nothing else is said: 5% of the requests, and one a second.
    pub fn budget() -> BudgetConfig {
        BudgetConfig::per_cent(5, 1)
    }
}
