//! What crosses to callers when a pattern turns a request away: which one it was, and when to come back.
//!
//! Each pattern refuses with a small type of its own, which says more; all of them turn into a [`Rejection`] with
//! `From`. Layers need no more than that of a service's error, so that stacking them nests no types.

use std::fmt;
use std::time::Duration;

/// The pattern that turned a request away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Pattern {
    /// A rate limiter: too many requests in too short a time.
    RateLimit,
    /// The deadline was over, or too near for the request to be worth a try.
    Deadline,
    /// Load shedding: the request mattered less than what the service was busy with.
    Shed,
    /// A fallback had nothing to answer with.
    Fallback,
    /// A bulkhead: too many requests at once, and its queue was full or too slow.
    Bulkhead,
    /// An adaptive concurrency limit was reached.
    Adaptive,
    /// A retry was due and not allowed.
    Retry,
    /// A hedge was due and not allowed.
    Hedge,
    /// A circuit breaker was open.
    Breaker,
    /// Every endpoint was ejected.
    Outlier,
    /// No endpoint could be picked.
    Balance,
}

impl Pattern {
    /// Its name in kebab case, as it stands in headers, metrics and logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::RateLimit => "rate-limit",
            Self::Deadline => "deadline",
            Self::Shed => "shed",
            Self::Fallback => "fallback",
            Self::Bulkhead => "bulkhead",
            Self::Adaptive => "adaptive",
            Self::Retry => "retry",
            Self::Hedge => "hedge",
            Self::Breaker => "breaker",
            Self::Outlier => "outlier",
            Self::Balance => "balance",
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A request was turned away before it was sent.
///
/// ```
/// use guildhall_resilience::{Pattern, Rejection};
/// use std::time::Duration;
///
/// let rejection = Rejection { by: Pattern::Breaker, retry_after: Some(Duration::from_secs(5)) };
/// assert_eq!(rejection.to_string(), "rejected by breaker: try again in 5s");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rejection {
    /// The pattern that did it.
    pub by: Pattern,
    /// When a next try may get through; `None` if the pattern cannot say.
    pub retry_after: Option<Duration>,
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rejected by {}", self.by)?;
        match self.retry_after {
            // Up to the next millisecond: who comes at the time told is not too early.
            Some(after) => {
                let after = Duration::from_millis(after.as_micros().div_ceil(1000) as u64);
                write!(f, ": try again in {after:?}")
            }
            None => Ok(()),
        }
    }
}

impl std::error::Error for Rejection {}
