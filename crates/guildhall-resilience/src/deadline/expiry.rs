//! Whose time ran out, and what that says about the service that was called.

use crate::{Outcome, classify::ErrorClass, retry::FailureClass};

/// Whose time ran out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Expiry {
    /// The attempt had as long as an attempt may take.
    Attempt,
    /// The request had as long as our own limit grants, and attempts have no limit of their own: the attempt is to
    /// blame.
    Request,
    /// Our own limit for the request cut an attempt short of what attempts may take.
    CutShort,
    /// A deadline that came with the request ended it.
    Inherited,
}

impl Expiry {
    /// What a breaker and the like make of it: a failure if the service had the time it should have had, and no
    /// evidence otherwise.
    pub const fn outcome(self) -> Outcome {
        match self {
            Self::Attempt | Self::Request => Outcome::Failure,
            Self::CutShort | Self::Inherited => Outcome::Ignored,
        }
    }

    /// The class under which [`Classify`](crate::classify::Classify) has rules for it.
    pub const fn error(self) -> ErrorClass {
        match self {
            Self::Attempt | Self::Request => ErrorClass::AttemptTimeout,
            Self::CutShort | Self::Inherited => ErrorClass::DeadlineExceeded,
        }
    }

    /// What a retry policy makes of it: another attempt is in time only after an attempt's own timeout.
    pub const fn class(self) -> FailureClass {
        match self {
            Self::Attempt => FailureClass::AttemptTimeout,
            Self::Request | Self::CutShort | Self::Inherited => FailureClass::DeadlineExpired,
        }
    }

    /// Its name in kebab case, as it stands in metrics and logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Attempt => "attempt-timeout",
            Self::Request => "request-timeout",
            Self::CutShort => "cut-short",
            Self::Inherited => "inherited-deadline",
        }
    }
}
