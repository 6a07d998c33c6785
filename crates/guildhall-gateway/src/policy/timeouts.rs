//! How long a request may take: what the route says, else policies, else the settings.

use std::time::Duration;

use guildhall_core::{
    policy::{compile::TimeLimit, spec::Section},
    route::{Reason, table::Rule},
};

use crate::{answer::Refusal, snapshot::Way};

/// The limits of one request.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Timeouts {
    /// For the whole, if route or policies say anything; zero is none.
    pub(crate) request: Option<Duration>,
    /// For an attempt.
    pub(crate) attempt: Option<Duration>,
    /// What is left of a caller's deadline for the answer's way back.
    pub(crate) margin: Duration,
    /// Which of the two is a policy's.
    policed: (bool, bool),
}

impl Timeouts {
    /// What holds for a request of `rule`.
    pub(crate) fn of(rule: Option<&Rule>, way: Option<&Way>) -> Self {
        let stated = rule.and_then(|rule| rule.request_timeout);
        let stated_attempt = rule.and_then(|rule| rule.backend_timeout);
        let mut timeouts = Self {
            request: stated,
            attempt: stated_attempt.filter(|limit| !limit.is_zero()),
            ..Self::default()
        };
        let Some(guard) = way.and_then(|way| way.enforced.timeouts.as_ref()) else {
            return timeouts;
        };
        timeouts.margin = guard.config.margin;
        if stated.is_none() {
            timeouts.request = match guard.config.request {
                TimeLimit::Unset => None,
                TimeLimit::Unlimited => Some(Duration::ZERO),
                TimeLimit::Limited(limit) => Some(limit),
            };
            timeouts.policed.0 = timeouts.request.is_some();
        }
        if stated_attempt.is_none() {
            timeouts.attempt = guard.config.attempt.or(None);
            timeouts.policed.1 = timeouts.attempt.is_some();
        }
        timeouts
    }

    /// Whether route or policies limit anything.
    pub(crate) fn are_stated(&self) -> bool {
        self.is_whole() || self.attempt.is_some()
    }

    /// Whether they limit the whole, to the end of the answer.
    pub(crate) fn is_whole(&self) -> bool {
        self.request.is_some_and(|limit| !limit.is_zero())
    }

    /// A refusal because of time names the policy whose limit it was.
    pub(crate) fn explain(&self, mut refusal: Refusal, way: &Way) -> Refusal {
        let policed = match refusal.reason {
            Reason::RequestTimeout => self.policed.0,
            Reason::UpstreamTimeout => self.policed.1,
            _ => false,
        };
        if policed && refusal.rejected.is_none() {
            if let Some(guard) = &way.enforced.timeouts {
                guard.tally.refuse();
            }
            let rejected = way.enforced.rejection(Section::Timeouts, None);
            refusal.rejected = Some(Box::new(rejected));
            refusal.detail = match refusal.reason {
                Reason::RequestTimeout => {
                    "the service did not answer within the policy's timeouts.request"
                }
                _ => "the instance did not answer within the policy's timeouts.backendRequest",
            };
        }
        refusal
    }
}
