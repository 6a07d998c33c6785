//! What a fallback can stand in for.

use crate::retry::FailureClass;

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Cause {
    /// One of our patterns turned the request away: an open breaker, a full bulkhead, no endpoint.
    Rejected,
    /// The service failed: a 5xx, no connection, a broken one.
    Failed,
    /// It took too long.
    TimedOut,
    /// The service, or a limiter of ours, said "too many requests".
    Throttled,
    /// The request is wrong (a 4xx): another answer would be wrong too.
    WrongRequest,
    /// Nobody waits for an answer any more.
    Cancelled,
}

impl Cause {
    /// The cause that a failure of this class is.
    pub const fn of(class: FailureClass) -> Self {
        match class {
            FailureClass::Rejected => Self::Rejected,
            FailureClass::AttemptTimeout | FailureClass::DeadlineExpired => Self::TimedOut,
            FailureClass::Throttled => Self::Throttled,
            FailureClass::ClientError => Self::WrongRequest,
            FailureClass::Cancelled => Self::Cancelled,
            FailureClass::Connect
            | FailureClass::Refused
            | FailureClass::Reset
            | FailureClass::BadGateway
            | FailureClass::Unavailable
            | FailureClass::GatewayTimeout
            | FailureClass::ServerError => Self::Failed,
        }
    }

    /// Its name in kebab case, as it stands in policies, metrics and logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rejected => "rejected",
            Self::Failed => "failed",
            Self::TimedOut => "timed-out",
            Self::Throttled => "throttled",
            Self::WrongRequest => "wrong-request",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether no fallback can stand in for it.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::WrongRequest | Self::Cancelled)
    }
}

/// A set of causes. The default is rejected, failed and timed out: who was throttled is to slow down, not to be
/// served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Causes(u8);

impl Causes {
    /// These.
    pub const fn of(causes: &[Cause]) -> Self {
        let (mut bits, mut at) = (0, 0);
        while at < causes.len() {
            bits |= 1 << causes[at] as u8;
            at += 1;
        }
        Self(bits)
    }

    /// Whether `cause` is one of them.
    pub const fn contains(self, cause: Cause) -> bool {
        self.0 & (1 << cause as u8) != 0
    }
}

impl Default for Causes {
    fn default() -> Self {
        Self::of(&[Cause::Rejected, Cause::Failed, Cause::TimedOut])
    }
}
