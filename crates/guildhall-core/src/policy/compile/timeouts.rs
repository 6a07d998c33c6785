//! `timeouts`.

use std::time::Duration;

use super::At;
use crate::{
    document::{Period, Problems},
    policy::spec::Timeouts,
};

/// How long a request may take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TimeoutRule {
    /// The whole of it.
    pub request: TimeLimit,
    /// One attempt.
    pub attempt: TimeLimit,
    /// What is left of an inherited deadline for the way back.
    pub margin: Duration,
}

/// A limit as policies state it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TimeLimit {
    /// No policy states it: that of the settings holds.
    #[default]
    Unset,
    /// A policy takes the limit away (`0s`).
    Unlimited,
    /// A policy sets it.
    Limited(Duration),
}

impl TimeLimit {
    /// The limit, where the settings have `default`.
    pub fn or(self, default: Option<Duration>) -> Option<Duration> {
        match self {
            Self::Unset => default,
            Self::Unlimited => None,
            Self::Limited(limit) => Some(limit),
        }
    }

    fn of(period: Option<Period>) -> Self {
        match period {
            None => Self::Unset,
            Some(period) if period.get().is_zero() => Self::Unlimited,
            Some(period) => Self::Limited(period.get()),
        }
    }
}

impl Timeouts {
    pub(super) fn compile(&self, at: &At<'_>, problems: &mut Problems) -> Option<TimeoutRule> {
        const LONGEST: Duration = Duration::from_secs(86_400);
        let fields = [
            ("request", self.request),
            ("backendRequest", self.backend_request),
            ("deadlineMargin", self.deadline_margin),
        ];
        for (name, period) in fields {
            problems.check(
                period.unwrap_or_default().get() <= LONGEST,
                at.pointer.field(name),
                "24h at most",
            );
        }
        Some(TimeoutRule {
            request: TimeLimit::of(self.request),
            attempt: TimeLimit::of(self.backend_request),
            margin: self.deadline_margin.unwrap_or_default().get(),
        })
    }
}
