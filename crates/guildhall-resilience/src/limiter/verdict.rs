//! What limiters say.

use std::time::{Duration, Instant};

use crate::{Pattern, Rejection};

/// Where a client stands with its limit: what the `RateLimit` header tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// Requests it may make at once when none are used.
    pub limit: u32,
    /// Requests it may make right now.
    pub remaining: u32,
    /// When admitted: the time until all of `limit` is there again. When refused: the time until the refused request
    /// gets through, which is what `Retry-After` says too, as the draft wants.
    pub reset: Duration,
}

/// A request was admitted.
///
/// Only nanoseconds are kept; what is left is worked out when somebody asks, as most do not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Allowed {
    /// How far ahead of the rate the limiter is, in nanoseconds.
    pub(super) ahead: u64,
    pub(super) interval: u64,
    pub(super) window: u64,
}

impl Allowed {
    /// Requests that may follow at once.
    pub fn remaining(&self) -> u32 {
        // At most the burst, which is a u32.
        (self.window.saturating_sub(self.ahead) / self.interval) as u32
    }

    /// What the header says.
    pub fn status(&self) -> RateLimit {
        RateLimit {
            limit: (self.window / self.interval) as u32,
            remaining: self.remaining(),
            reset: Duration::from_nanos(self.ahead),
        }
    }
}

/// A request was refused, and took nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("over the rate limit of {} at once", status.limit)]
pub struct Limited {
    /// How long until it gets through if nobody else asks meanwhile; `None` if it never will, because it asks for more
    /// than the limiter ever holds.
    pub retry_after: Option<Duration>,
    /// What the header says.
    pub status: RateLimit,
}

impl Limited {
    pub(super) fn new(limit: u32, remaining: u32, retry_after: Option<Duration>) -> Self {
        Self {
            retry_after,
            status: RateLimit {
                limit,
                remaining,
                reset: retry_after.unwrap_or_default(),
            },
        }
    }
}

impl From<Limited> for Rejection {
    fn from(limited: Limited) -> Self {
        Self {
            by: Pattern::RateLimit,
            retry_after: limited.retry_after,
        }
    }
}

/// A place in line, from a limiter that paces. It can be given back once, so it cannot be copied.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub struct Turn {
    /// How long to wait before the request goes on; often zero.
    pub wait: Duration,
    /// When that is.
    pub at: Instant,
    /// Where the line ends behind this turn, for giving it back.
    pub(super) end: u64,
    /// How much of the line it takes.
    pub(super) cost: u64,
}
