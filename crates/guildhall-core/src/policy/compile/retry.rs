//! `retry` and `hedging`.

use std::time::Duration;

use guildhall_resilience::{
    hedge::HedgeConfig,
    retry::{Backoff, BudgetConfig, FailureClass, FailureClasses, RetryPolicy},
};

use super::{At, share};
use crate::{
    document::Problems,
    policy::spec::{HedgeDelay, Hedging, Retry, RetryBudget, RetryOn},
};

/// What is sent again.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct RetryRule {
    /// Which failures, how often, after what pause.
    pub policy: RetryPolicy,
    /// What retries may cost together.
    pub budget: BudgetConfig,
}

/// What is sent twice.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HedgeRule {
    /// When, and how many.
    pub config: HedgeConfig,
    /// What hedges may cost together.
    pub budget: BudgetConfig,
}

impl Retry {
    pub(super) fn compile(&self, at: &At<'_>, problems: &mut Problems) -> Option<RetryRule> {
        let mut policy = RetryPolicy::default();
        if let Some(attempts) = self.attempts {
            let names = [(
                "attempts",
                "attempts",
                Some("0 to 99; what takes longer wants a queue"),
            )];
            policy = at.take(
                policy.with_attempts(attempts.saturating_add(1)),
                &names,
                problems,
            )?;
        }
        if let Some(retry_on) = &self.retry_on {
            let classes = retry_on.iter().map(|word| class(*word));
            policy = policy.with_retry_on(classes.fold(FailureClasses::NONE, FailureClasses::with));
        }
        if let Some(back_off) = self.back_off.as_ref() {
            let base = back_off.base_interval.get();
            let longest = back_off.max_interval.map_or_else(
                || base.saturating_mul(10).min(DAY).max(base),
                |longest| longest.get(),
            );
            let names = [(
                "longest",
                "backOff/maxInterval",
                Some("no shorter than baseInterval, and 24h at most"),
            )];
            let backoff = at.take(Backoff::new(base, longest), &names, problems)?;
            policy = policy.with_backoff(backoff);
        }
        if let Some(longest) = self.max_retry_after {
            policy = policy.with_longest_retry_after(longest.get());
        }
        let budget = budget(self.budget.as_ref(), BudgetConfig::default(), at, problems)?;
        self.enabled
            .unwrap_or(true)
            .then_some(RetryRule { policy, budget })
    }
}

impl Hedging {
    pub(super) fn compile(&self, at: &At<'_>, problems: &mut Problems) -> Option<HedgeRule> {
        let config = match &self.delay {
            None => HedgeConfig::quantile(0.95),
            Some(HedgeDelay {
                fixed: Some(fixed),
                percentile: None,
                at_least: None,
                samples: None,
            }) => Ok(HedgeConfig::after(fixed.get())),
            Some(HedgeDelay {
                fixed: None,
                percentile: Some(percentile),
                at_least,
                samples,
            }) => HedgeConfig::quantile(share(*percentile)).map(|mut config| {
                if let Some(least) = at_least {
                    config = config.with_least(least.get());
                }
                samples.map_or(config, |samples| config.with_samples(samples))
            }),
            Some(_) => {
                problems.add(
                    at.pointer.field("delay"),
                    "give fixed alone, or percentile, with atLeast and samples if need be",
                );
                return None;
            }
        };
        let names = [
            (
                "share",
                "delay/percentile",
                Some("above 0 and below 100; 95 is usual"),
            ),
            ("hedges", "attempts", Some("0 to 4")),
        ];
        let mut config = at.take(config, &names, problems)?;
        if let Some(hedges) = self.attempts {
            config = at.take(config.with_hedges(hedges), &names, problems)?;
        }
        let budget = budget(self.budget.as_ref(), HedgeConfig::budget(), at, problems)?;
        self.enabled
            .unwrap_or(true)
            .then_some(HedgeRule { config, budget })
    }
}

const DAY: Duration = Duration::from_secs(86_400);

fn budget(
    spec: Option<&RetryBudget>,
    default: BudgetConfig,
    at: &At<'_>,
    problems: &mut Problems,
) -> Option<BudgetConfig> {
    let Some(spec) = spec else {
        return Some(default);
    };
    let names = [
        ("ratio", "budget/percent", Some("0 to 1000; 20 is usual")),
        (
            "per_second",
            "budget/minRetriesPerSecond",
            Some("10000 at most"),
        ),
    ];
    let per_second = spec.min_retries_per_second.unwrap_or(default.per_second());
    at.take(
        BudgetConfig::new(share(spec.percent), per_second),
        &names,
        problems,
    )
}

fn class(word: RetryOn) -> FailureClass {
    match word {
        RetryOn::Connect => FailureClass::Connect,
        RetryOn::Refused => FailureClass::Refused,
        RetryOn::Reset => FailureClass::Reset,
        RetryOn::AttemptTimeout => FailureClass::AttemptTimeout,
        RetryOn::BadGateway => FailureClass::BadGateway,
        RetryOn::Unavailable => FailureClass::Unavailable,
        RetryOn::GatewayTimeout => FailureClass::GatewayTimeout,
        RetryOn::Throttled => FailureClass::Throttled,
        RetryOn::ServerError => FailureClass::ServerError,
    }
}
