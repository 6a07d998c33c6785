//! The rules for one request, and the latencies of all.

use std::time::{Duration, Instant};

use super::{HedgeConfig, HedgeDecision, HedgeDelay, Latency, NoHedge};
use crate::retry::{Body, Budget, Idempotency};

/// When requests to a service are hedged: shared by reference, lock-free.
///
/// A new configuration is a new `Hedge` over the same [`Latency`]: see [`Hedge::reconfigured`].
#[derive(Debug)]
pub struct Hedge {
    config: HedgeConfig,
    latency: std::sync::Arc<Latency>,
}

/// A request, as far as hedging it is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hedgeable {
    /// Attempts that were sent, the first one and hedges.
    pub sent: u32,
    /// Whether the request may be carried out twice.
    pub idempotency: Idempotency,
    /// Whether its body can be sent twice.
    pub body: Body,
    /// How long until the request's deadline, if it has one.
    pub remaining: Option<Duration>,
}

impl Hedge {
    /// Nothing was measured yet.
    pub fn new(config: HedgeConfig, now: Instant) -> Self {
        Self {
            config,
            latency: std::sync::Arc::new(Latency::new(now)),
        }
    }

    /// The same by other rules; what was measured stays.
    #[must_use]
    pub fn reconfigured(&self, config: HedgeConfig) -> Self {
        Self {
            config,
            latency: self.latency.clone(),
        }
    }

    /// The rules.
    pub fn config(&self) -> HedgeConfig {
        self.config
    }

    /// A request was answered after this time. A hedge's loser, which was not, is not recorded.
    #[inline]
    pub fn record(&self, latency: Duration, now: Instant) {
        if matches!(self.config.delay, HedgeDelay::Quantile { .. }) {
            self.latency.record(latency, now);
        }
    }

    /// Whether and when a hedge is to be sent for a request that has just been sent (again).
    pub fn plan(&self, request: &Hedgeable, now: Instant) -> HedgeDecision {
        match self.delay(request, now) {
            Ok(delay) => HedgeDecision::After(delay),
            Err(why) => HedgeDecision::No(why),
        }
    }

    /// The time has come: takes a hedge out of the budget.
    ///
    /// # Errors
    /// [`NoHedge::BudgetSpent`] if there is none left.
    pub fn fire(&self, budget: &Budget, now: Instant) -> Result<(), NoHedge> {
        if budget.withdraw(now) {
            Ok(())
        } else {
            Err(NoHedge::BudgetSpent)
        }
    }

    fn delay(&self, request: &Hedgeable, now: Instant) -> Result<Duration, NoHedge> {
        if request.idempotency != Idempotency::Idempotent {
            return Err(NoHedge::NotIdempotent);
        }
        if request.body == Body::Streamed {
            return Err(NoHedge::StreamedBody);
        }
        let hedges = request.sent.saturating_sub(1);
        if hedges >= self.config.hedges {
            return Err(NoHedge::HedgesSpent { hedges });
        }
        let wait = match self.config.delay {
            HedgeDelay::Fixed(delay) => delay,
            HedgeDelay::Quantile { share, least } => {
                let (latency, samples) = self.latency.quantile(share, now);
                if samples < self.config.samples.max(1) {
                    return Err(NoHedge::TooFewSamples { samples });
                }
                latency.max(least)
            }
        };
        match request.remaining {
            Some(remaining) if wait >= remaining => {
                Err(NoHedge::DeadlineTooNear { wait, remaining })
            }
            _ => Ok(wait),
        }
    }
}
