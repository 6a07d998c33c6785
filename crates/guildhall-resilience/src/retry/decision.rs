//! What comes of a failed attempt.

use std::time::Duration;

use super::FailureClass;

/// What to do after a failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Send it again.
    Retry {
        /// After this pause.
        after: Duration,
    },
    /// Hand the failure to the caller.
    GiveUp(NoRetry),
}

/// Why not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoRetry {
    /// The policy does not retry failures of this class, or none could.
    Class(FailureClass),
    /// The request may have been processed, and doing it twice may do harm.
    NotIdempotent,
    /// The body was passed on as it came and cannot be sent again.
    StreamedBody,
    /// There were as many attempts as the policy allows.
    AttemptsSpent {
        /// How many.
        attempts: u32,
    },
    /// The server said "too many requests", and not when to come back.
    NoRetryAfter,
    /// The server asked for a longer pause than the policy grants.
    RetryAfterTooLong {
        /// What it asked for.
        asked: Duration,
        /// What the policy grants at most.
        limit: Duration,
    },
    /// The pause would not end before the deadline.
    DeadlineTooNear {
        /// How long the pause would be.
        wait: Duration,
        /// How long until the deadline.
        remaining: Duration,
    },
    /// The retries that all requests share are used up.
    BudgetSpent,
}

impl NoRetry {
    /// Its name in kebab case, as it stands in metrics and logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Class(_) => "class",
            Self::NotIdempotent => "not-idempotent",
            Self::StreamedBody => "streamed-body",
            Self::AttemptsSpent { .. } => "attempts-spent",
            Self::NoRetryAfter => "no-retry-after",
            Self::RetryAfterTooLong { .. } => "retry-after-too-long",
            Self::DeadlineTooNear { .. } => "deadline-too-near",
            Self::BudgetSpent => "budget-spent",
        }
    }
}
