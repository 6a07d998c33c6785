//! A deadline, and what of it an attempt gets.

use std::time::{Duration, Instant};

use super::Expiry;

/// The moment after which nobody waits for the answer any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline {
    /// `None` where it is too far off for the clock to hold.
    at: Option<Instant>,
    inherited: bool,
}

impl Deadline {
    /// No deadline at all.
    pub const NEVER: Self = Self {
        at: None,
        inherited: false,
    };

    /// `timeout` from `now` on, by our own rules.
    pub fn own(timeout: Duration, now: Instant) -> Self {
        Self {
            at: now.checked_add(timeout),
            inherited: false,
        }
    }

    /// `timeout` from `now` on, because whoever called us waits no longer.
    pub fn inherited(timeout: Duration, now: Instant) -> Self {
        Self {
            at: now.checked_add(timeout),
            inherited: true,
        }
    }

    /// The one of the two that is over first; this one if they are the same.
    #[must_use]
    pub fn nearer(self, other: Self) -> Self {
        match (self.at, other.at) {
            (Some(at), Some(others)) if others < at => other,
            (None, Some(_)) => other,
            _ => self,
        }
    }

    /// The same, nearer by `margin`: the time that the answer needs on its way back to whoever waits for it.
    #[must_use]
    pub fn less(self, margin: Duration) -> Self {
        match self.at.and_then(|at| at.checked_sub(margin)) {
            Some(at) => Self {
                at: Some(at),
                ..self
            },
            None => self,
        }
    }

    /// When it is; `None` if never.
    pub fn at(self) -> Option<Instant> {
        self.at
    }

    /// Whether it came with the request.
    pub fn is_inherited(self) -> bool {
        self.inherited
    }

    /// What is left; `None` if there is no deadline, zero if it is over.
    pub fn remaining(self, now: Instant) -> Option<Duration> {
        self.at.map(|at| at.saturating_duration_since(now))
    }

    /// Whether it is over.
    pub fn is_over(self, now: Instant) -> bool {
        self.at.is_some_and(|at| at <= now)
    }

    /// What an attempt gets that starts now and may take `limit`: the nearer of the two.
    pub fn for_attempt(self, limit: Option<Duration>, now: Instant) -> AttemptLimit {
        let own = limit.and_then(|limit| now.checked_add(limit));
        match (self.at, own) {
            (Some(at), Some(own)) if own <= at => AttemptLimit::new(Some(own), Expiry::Attempt),
            (None, own @ Some(_)) => AttemptLimit::new(own, Expiry::Attempt),
            (at, _) if self.inherited => AttemptLimit::new(at, Expiry::Inherited),
            (at, Some(_)) => AttemptLimit::new(at, Expiry::CutShort),
            (at, None) => AttemptLimit::new(at, Expiry::Request),
        }
    }
}

/// How long an attempt may take, and whose limit that is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttemptLimit {
    at: Option<Instant>,
    expiry: Expiry,
}

impl AttemptLimit {
    fn new(at: Option<Instant>, expiry: Expiry) -> Self {
        Self { at, expiry }
    }

    /// When it is over; `None` if never.
    pub fn at(self) -> Option<Instant> {
        self.at
    }

    /// How long it has; [`Duration::MAX`] if there is no limit.
    pub fn timeout(self, now: Instant) -> Duration {
        self.at
            .map_or(Duration::MAX, |at| at.saturating_duration_since(now))
    }

    /// What it means if it runs out.
    pub fn expiry(self) -> Expiry {
        self.expiry
    }
}
