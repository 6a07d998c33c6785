//! What kind of failure an attempt ended in.

use crate::classify::ErrorClass;

/// Why an attempt failed, as far as sending again is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum FailureClass {
    /// No connection came about: nothing was sent.
    Connect,
    /// The server turned the request away before it looked at it: HTTP/2's `REFUSED_STREAM`, a stream above a
    /// `GOAWAY`'s last one.
    Refused,
    /// The connection broke after the request began to go out.
    Reset,
    /// The attempt's timeout was over.
    AttemptTimeout,
    /// 502: what answered could not reach what should.
    BadGateway,
    /// 503: the server cannot at present.
    Unavailable,
    /// 504: what answered waited too long for what should.
    GatewayTimeout,
    /// 429: too many requests; retried only where `Retry-After` says when.
    Throttled,
    /// Another 5xx.
    ServerError,
    /// A 4xx that is no 429: the request is wrong, and stays so.
    ClientError,
    /// One of our own patterns turned it away (an open breaker, a full bulkhead): another attempt would meet the same.
    Rejected,
    /// The caller went away.
    Cancelled,
    /// The request's deadline was over.
    DeadlineExpired,
}

impl FailureClass {
    /// Every class, in the order of their declaration.
    pub const ALL: [Self; 13] = [
        Self::Connect,
        Self::Refused,
        Self::Reset,
        Self::AttemptTimeout,
        Self::BadGateway,
        Self::Unavailable,
        Self::GatewayTimeout,
        Self::Throttled,
        Self::ServerError,
        Self::ClientError,
        Self::Rejected,
        Self::Cancelled,
        Self::DeadlineExpired,
    ];

    /// The class of an answer; `None` if it is no failure.
    pub const fn of_status(status: u16) -> Option<Self> {
        match status {
            100..=399 => None,
            429 => Some(Self::Throttled),
            // nginx's "client closed request".
            499 => Some(Self::Cancelled),
            400..=499 => Some(Self::ClientError),
            502 => Some(Self::BadGateway),
            503 => Some(Self::Unavailable),
            504 => Some(Self::GatewayTimeout),
            // No service should answer below 100 or above 599.
            _ => Some(Self::ServerError),
        }
    }

    /// The class of a gRPC status, by number; `None` if it is no failure. UNAVAILABLE, DEADLINE_EXCEEDED and
    /// RESOURCE_EXHAUSTED are gRPC's 503, 504 and 429, the last with its pushback in place of `Retry-After`.
    ///
    /// ```
    /// use guildhall_resilience::retry::FailureClass;
    ///
    /// assert_eq!(FailureClass::of_grpc(0), None);
    /// assert_eq!(FailureClass::of_grpc(14), Some(FailureClass::Unavailable));
    /// ```
    pub const fn of_grpc(code: u32) -> Option<Self> {
        match code {
            // OK
            0 => None,
            // CANCELLED
            1 => Some(Self::Cancelled),
            // DEADLINE_EXCEEDED
            4 => Some(Self::GatewayTimeout),
            // RESOURCE_EXHAUSTED
            8 => Some(Self::Throttled),
            // UNAVAILABLE
            14 => Some(Self::Unavailable),
            // UNKNOWN, INTERNAL, DATA_LOSS
            2 | 13 | 15 => Some(Self::ServerError),
            // The request was wrong, or came at the wrong time: for the caller to act on.
            3..=16 => Some(Self::ClientError),
            _ => Some(Self::ServerError),
        }
    }

    /// The class of an attempt that got no answer.
    pub const fn of_error(error: ErrorClass) -> Self {
        match error {
            ErrorClass::Connect => Self::Connect,
            ErrorClass::Reset | ErrorClass::Protocol => Self::Reset,
            ErrorClass::AttemptTimeout => Self::AttemptTimeout,
            ErrorClass::DeadlineExceeded => Self::DeadlineExpired,
            ErrorClass::Cancelled | ErrorClass::HedgeLost => Self::Cancelled,
            ErrorClass::Rejected => Self::Rejected,
            ErrorClass::Other => Self::ServerError,
        }
    }

    /// Whether the server may have done what was asked. If it certainly has not, sending again is safe whatever the
    /// method.
    pub const fn may_be_processed(self) -> bool {
        !matches!(
            self,
            Self::Connect | Self::Refused | Self::Throttled | Self::Rejected
        )
    }

    /// Whether no policy can retry it: nobody waits for the answer any more, or it would be the same.
    pub const fn is_final(self) -> bool {
        matches!(
            self,
            Self::ClientError | Self::Cancelled | Self::DeadlineExpired
        )
    }

    /// Its name in kebab case, as it stands in policies, metrics and logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Refused => "refused",
            Self::Reset => "reset",
            Self::AttemptTimeout => "attempt-timeout",
            Self::BadGateway => "bad-gateway",
            Self::Unavailable => "unavailable",
            Self::GatewayTimeout => "gateway-timeout",
            Self::Throttled => "throttled",
            Self::ServerError => "server-error",
            Self::ClientError => "client-error",
            Self::Rejected => "rejected",
            Self::Cancelled => "cancelled",
            Self::DeadlineExpired => "deadline-expired",
        }
    }

    const fn bit(self) -> u16 {
        1 << self as u16
    }
}

/// A set of classes.
///
/// The default is what a GET is usefully sent again for: no connection, refused, reset, an attempt's timeout, 502, 503,
/// 504, and 429 with a `Retry-After`. Envoy's `gateway-error,reset,connect-failure,refused-stream,retriable-4xx` comes
/// close.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FailureClasses(u16);

impl FailureClasses {
    /// None: nothing is retried.
    pub const NONE: Self = Self(0);

    /// These.
    pub const fn of(classes: &[FailureClass]) -> Self {
        let (mut bits, mut at) = (0, 0);
        while at < classes.len() {
            bits |= classes[at].bit();
            at += 1;
        }
        Self(bits)
    }

    /// Whether `class` is one of them.
    pub const fn contains(self, class: FailureClass) -> bool {
        self.0 & class.bit() != 0
    }

    /// These and `class`.
    #[must_use]
    pub const fn with(self, class: FailureClass) -> Self {
        Self(self.0 | class.bit())
    }

    /// These without `class`.
    #[must_use]
    pub const fn without(self, class: FailureClass) -> Self {
        Self(self.0 & !class.bit())
    }
}

impl Default for FailureClasses {
    fn default() -> Self {
        Self::of(&[
            FailureClass::Connect,
            FailureClass::Refused,
            FailureClass::Reset,
            FailureClass::AttemptTimeout,
            FailureClass::BadGateway,
            FailureClass::Unavailable,
            FailureClass::GatewayTimeout,
            FailureClass::Throttled,
        ])
    }
}
