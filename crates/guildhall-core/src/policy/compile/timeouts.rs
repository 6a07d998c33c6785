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
    pub request: Option<Duration>,
    /// One attempt.
    pub attempt: Option<Duration>,
    /// What is left of an inherited deadline for the way back.
    pub margin: Duration,
}

impl Timeouts {
    pub(super) fn compile(&self, at: &At<'_>, problems: &mut Problems) -> Option<TimeoutRule> {
        const LONGEST: Duration = Duration::from_secs(86_400);
        let mut limit = |name: &'static str, period: Option<Period>| {
            let limit = period.unwrap_or_default().get();
            problems.check(
                limit <= LONGEST,
                at.pointer.field(name),
                "24h at most; 0s is no limit",
            );
            (!limit.is_zero()).then_some(limit)
        };
        Some(TimeoutRule {
            request: limit("request", self.request),
            attempt: limit("backendRequest", self.backend_request),
            margin: limit("deadlineMargin", self.deadline_margin).unwrap_or_default(),
        })
    }
}
