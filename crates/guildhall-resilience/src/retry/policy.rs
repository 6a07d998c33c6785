//! The rules for one request.

use std::time::{Duration, Instant};

use fastrand::Rng;

use super::{Backoff, Body, Budget, Decision, FailureClass, FailureClasses, Idempotency, NoRetry};
use crate::ConfigError;

/// Which failures are retried, how often, and after what pause.
///
/// It is a value without state: what is counted over requests is the [`Budget`]'s, and a new policy takes effect with
/// the next decision.
///
/// | | default | |
/// |---|---|---|
/// | attempts | 3 | the first one counted in |
/// | backoff | 25 ms doubling to 250 ms | [`Backoff`] |
/// | retry on | connect, refused, reset, attempt timeout, 502, 503, 504, 429 with `Retry-After` | [`FailureClasses`] |
/// | longest `Retry-After` | 10 s | a longer one ends the retries |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    attempts: u32,
    backoff: Backoff,
    retry_on: FailureClasses,
    longest_retry_after: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            attempts: 3,
            backoff: Backoff::default(),
            retry_on: FailureClasses::default(),
            longest_retry_after: Duration::from_secs(10),
        }
    }
}

/// How the attempts of a request have gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempted {
    /// How many there were, the failed one included.
    pub attempts: u32,
    /// How the last one failed.
    pub class: FailureClass,
    /// Whether the request may be done twice.
    pub idempotency: Idempotency,
    /// Whether its body can be sent twice.
    pub body: Body,
    /// The pause the server asked for, if it did: see [`retry_after`](super::retry_after).
    pub retry_after: Option<Duration>,
    /// How long until the request's deadline, if it has one.
    pub remaining: Option<Duration>,
}

impl RetryPolicy {
    /// The same, with so many attempts, the first one counted in. 1 is no retry.
    ///
    /// # Errors
    /// If there are none, or more than 100.
    pub fn with_attempts(self, attempts: u32) -> Result<Self, ConfigError> {
        ConfigError::unless(
            attempts >= 1,
            "attempts",
            "must be at least 1: the request itself",
        )?;
        ConfigError::unless(
            attempts <= 100,
            "attempts",
            "must be at most 100; what takes longer wants a queue",
        )?;
        Ok(Self { attempts, ..self })
    }

    /// The same with these pauses.
    #[must_use]
    pub fn with_backoff(self, backoff: Backoff) -> Self {
        Self { backoff, ..self }
    }

    /// The same, retrying failures of these classes. A class that is [final](FailureClass::is_final) is never retried.
    #[must_use]
    pub fn with_retry_on(self, retry_on: FailureClasses) -> Self {
        Self { retry_on, ..self }
    }

    /// The same, doing without a retry if the server asks for a longer pause than this.
    #[must_use]
    pub fn with_longest_retry_after(self, longest_retry_after: Duration) -> Self {
        Self {
            longest_retry_after,
            ..self
        }
    }

    /// Which failures are retried.
    pub fn retry_on(&self) -> FailureClasses {
        self.retry_on
    }

    /// How many attempts a request has at most.
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// Whether a failed request is sent again. A retry is taken out of `budget` by this; nothing else changes.
    ///
    /// The pause is the backoff's; where the server asked for one it is that and the backoff's on top, so that those
    /// who were told the same do not come back together.
    pub fn decide(
        &self,
        attempted: &Attempted,
        budget: Option<&Budget>,
        random: &mut Rng,
        now: Instant,
    ) -> Decision {
        match self.pause(attempted, random) {
            Err(why) => Decision::GiveUp(why),
            // Last, so that a retry is only taken if it is made.
            Ok(_) if budget.is_some_and(|budget| !budget.withdraw(now)) => {
                Decision::GiveUp(NoRetry::BudgetSpent)
            }
            Ok(after) => Decision::Retry { after },
        }
    }

    fn pause(&self, attempted: &Attempted, random: &mut Rng) -> Result<Duration, NoRetry> {
        let class = attempted.class;
        let unless = |holds: bool, why: NoRetry| if holds { Ok(()) } else { Err(why) };
        unless(
            !class.is_final() && self.retry_on.contains(class),
            NoRetry::Class(class),
        )?;
        unless(
            attempted.idempotency == Idempotency::Idempotent || !class.may_be_processed(),
            NoRetry::NotIdempotent,
        )?;
        unless(attempted.body != Body::Streamed, NoRetry::StreamedBody)?;
        let attempts = attempted.attempts;
        unless(
            attempts < self.attempts,
            NoRetry::AttemptsSpent { attempts },
        )?;
        unless(
            class != FailureClass::Throttled || attempted.retry_after.is_some(),
            NoRetry::NoRetryAfter,
        )?;
        let asked = attempted.retry_after.unwrap_or_default();
        let limit = self.longest_retry_after;
        unless(asked <= limit, NoRetry::RetryAfterTooLong { asked, limit })?;
        let wait = asked.saturating_add(self.backoff.pause(attempts, random));
        if let Some(remaining) = attempted.remaining {
            unless(
                wait < remaining,
                NoRetry::DeadlineTooNear { wait, remaining },
            )?;
        }
        Ok(wait)
    }
}
