//! Whether a hedge is sent.

use std::time::Duration;

/// What to do while an attempt runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HedgeDecision {
    /// If there is no answer by then, [`fire`](super::Hedge::fire) one.
    After(Duration),
    /// Wait for what was sent.
    No(NoHedge),
}

/// Why not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoHedge {
    /// Carrying the request out twice may do harm.
    NotIdempotent,
    /// The body was passed on as it came and cannot be sent again.
    StreamedBody,
    /// As many were sent as a request may have.
    HedgesSpent {
        /// How many.
        hedges: u32,
    },
    /// Too few requests were measured to tell slow from usual.
    TooFewSamples {
        /// How many there are.
        samples: u32,
    },
    /// The deadline is over before one would be sent.
    DeadlineTooNear {
        /// When it would be sent.
        wait: Duration,
        /// How long until the deadline.
        remaining: Duration,
    },
    /// The hedges that all requests share are used up.
    BudgetSpent,
}

impl NoHedge {
    /// Its name in kebab case, as it stands in metrics and logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NotIdempotent => "not-idempotent",
            Self::StreamedBody => "streamed-body",
            Self::HedgesSpent { .. } => "hedges-spent",
            Self::TooFewSamples { .. } => "too-few-samples",
            Self::DeadlineTooNear { .. } => "deadline-too-near",
            Self::BudgetSpent => "budget-spent",
        }
    }
}
