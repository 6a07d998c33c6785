//! What the end of a call says about the service that was called: the rules that turn status codes and error classes
//! into an [`Outcome`](crate::Outcome), shared by every pattern that counts.
//!
//! The defaults, and why:
//!
//! | end of the call | outcome | because |
//! |---|---|---|
//! | 1xx, 2xx, 3xx | success | |
//! | 4xx | success | the request was wrong, and the service said so |
//! | 408 Request Timeout, 425 Too Early | ignored | the service tells about the connection, not about itself |
//! | 429 Too Many Requests | ignored, always | it is for the rate limiter's backoff; a breaker that counted it would turn a limit into an outage |
//! | 499 (the caller went away) | ignored | cancellation is no evidence |
//! | 5xx | failure | |
//! | 501 Not Implemented, 505 Version Not Supported | success | the request was wrong |
//! | cannot connect, connection lost, garbled answer | failure | |
//! | our attempt's timeout | failure | the service had the time it was promised |
//! | an inherited deadline's expiry | ignored | the time was spent elsewhere |
//! | the caller cancelled, a hedge lost | ignored | cancellation is no evidence |
//! | refused on our side | ignored | the service was not asked |
//!
//! ```
//! use guildhall_resilience::Outcome;
//! use guildhall_resilience::classify::{Classify, ErrorClass};
//!
//! let rules = Classify::default();
//! assert_eq!(rules.status(503), Outcome::Failure);
//! assert_eq!(rules.status(404), Outcome::Success);
//! assert_eq!(rules.error(ErrorClass::AttemptTimeout), Outcome::Failure);
//! assert_eq!(rules.error(ErrorClass::DeadlineExceeded), Outcome::Ignored);
//!
//! // A service for which "not found" is the sign of a broken index:
//! let rules = rules.with_status(404..=404, Outcome::Failure)?;
//! assert_eq!(rules.status(404), Outcome::Failure);
//! # Ok::<(), guildhall_resilience::classify::StatusError>(())
//! ```

use std::ops::RangeInclusive;

use crate::Outcome;

/// How a call ended that got no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorClass {
    /// No connection could be made.
    Connect,
    /// The connection was lost, or reset.
    Reset,
    /// The answer could not be understood.
    Protocol,
    /// Our attempt's own timeout was over.
    AttemptTimeout,
    /// A deadline that came with the request was over.
    DeadlineExceeded,
    /// The caller cancelled, or went away.
    Cancelled,
    /// Another attempt of a hedged request was faster.
    HedgeLost,
    /// Refused on our side: a limit, a bulkhead, a breaker further down.
    Rejected,
    /// Anything else.
    Other,
}

impl ErrorClass {
    /// Every class, in the order of their declaration.
    pub const ALL: [Self; 9] = [
        Self::Connect,
        Self::Reset,
        Self::Protocol,
        Self::AttemptTimeout,
        Self::DeadlineExceeded,
        Self::Cancelled,
        Self::HedgeLost,
        Self::Rejected,
        Self::Other,
    ];
}

/// The rules; [`Classify::default`] has those of [the module](self).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Classify {
    /// Of 100 to 599 each.
    status: Box<[Outcome; 500]>,
    errors: [Outcome; ErrorClass::ALL.len()],
}

/// gRPC's status codes that speak against the service, by number.
const GRPC_FAILURES: [u32; 5] = [
    2,  // UNKNOWN
    4,  // DEADLINE_EXCEEDED
    13, // INTERNAL
    14, // UNAVAILABLE
    15, // DATA_LOSS
];

/// gRPC's status codes that say nothing about it: CANCELLED, and RESOURCE_EXHAUSTED, which is its 429.
const GRPC_IGNORED: [u32; 2] = [1, 8];

impl Default for Classify {
    fn default() -> Self {
        let status = std::array::from_fn(|at| match at + 100 {
            408 | 425 | 429 | 499 => Outcome::Ignored,
            501 | 505 => Outcome::Success,
            500.. => Outcome::Failure,
            _ => Outcome::Success,
        });
        let errors = ErrorClass::ALL.map(|class| match class {
            ErrorClass::Connect
            | ErrorClass::Reset
            | ErrorClass::Protocol
            | ErrorClass::AttemptTimeout
            | ErrorClass::Other => Outcome::Failure,
            ErrorClass::DeadlineExceeded
            | ErrorClass::Cancelled
            | ErrorClass::HedgeLost
            | ErrorClass::Rejected => Outcome::Ignored,
        });
        Self {
            status: Box::new(status),
            errors,
        }
    }
}

impl Classify {
    /// What an HTTP status says. One outside 100 to 599 is a failure: no service should answer so.
    #[inline]
    pub fn status(&self, status: u16) -> Outcome {
        usize::from(status)
            .checked_sub(100)
            .and_then(|at| self.status.get(at))
            .copied()
            .unwrap_or(Outcome::Failure)
    }

    /// What a gRPC status says. UNKNOWN, DEADLINE_EXCEEDED, INTERNAL, UNAVAILABLE, DATA_LOSS and unknown numbers are
    /// failures, CANCELLED and RESOURCE_EXHAUSTED are ignored, all others are the caller's fault or none.
    ///
    /// A DEADLINE_EXCEEDED that the *caller's* own deadline made is [`ErrorClass::DeadlineExceeded`]: ask
    /// [`Classify::error`] then.
    pub fn grpc(&self, code: u32) -> Outcome {
        if GRPC_IGNORED.contains(&code) {
            Outcome::Ignored
        } else if GRPC_FAILURES.contains(&code) || code > 16 {
            Outcome::Failure
        } else {
            Outcome::Success
        }
    }

    /// What the end of a call without an answer says.
    #[inline]
    pub fn error(&self, class: ErrorClass) -> Outcome {
        self.errors[class as usize]
    }

    /// With another rule for these statuses.
    ///
    /// # Errors
    /// A status outside 100 to 599, or 429 on its own, which is always ignored. In a longer range 429 is passed over.
    pub fn with_status(
        mut self,
        statuses: RangeInclusive<u16>,
        outcome: Outcome,
    ) -> Result<Self, StatusError> {
        let (first, last) = (*statuses.start(), *statuses.end());
        if first > last || first < 100 || last > 599 {
            return Err(StatusError::OutOfRange { first, last });
        }
        if (first, last) == (429, 429) && outcome != Outcome::Ignored {
            return Err(StatusError::RateLimited);
        }
        for status in statuses.filter(|status| *status != 429) {
            self.status[usize::from(status) - 100] = outcome;
        }
        Ok(self)
    }

    /// With another rule for errors of this class.
    #[must_use]
    pub fn with_error(mut self, class: ErrorClass, outcome: Outcome) -> Self {
        self.errors[class as usize] = outcome;
        self
    }
}

/// A rule for statuses that cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StatusError {
    /// There is no such status.
    #[error("statuses {first} to {last}: name some from 100 to 599, the lower first")]
    OutOfRange {
        /// The first of the range.
        first: u16,
        /// The last of the range.
        last: u16,
    },
    /// 429 belongs to the rate limiter.
    #[error(
        "status 429 says nothing about the service's health: leave it out, or give it to the retry policy's backoff"
    )]
    RateLimited,
}
