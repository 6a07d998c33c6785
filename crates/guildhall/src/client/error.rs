//! Why a call did not succeed, and the next move.

use std::time::Duration;

use guildhall_core::policy::guard::Rejected;
use guildhall_resilience::{classify::ErrorClass, retry::FailureClass};
use http::StatusCode;

/// A call that did not succeed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The call was made before the service that makes it was started.
    #[error(
        "{service} cannot be called yet: calls can be made once the service has started (Service::start or run)"
    )]
    NotStarted {
        /// The service called.
        service: String,
    },
    /// There is no platform to ask for instances.
    #[error(
        "{service} cannot be found: this service runs without a platform, or has stopped; \
         set Service::platform or GUILDHALL_SERVER"
    )]
    NoPlatform {
        /// The service called.
        service: String,
    },
    /// The platform has not answered since the start, and no copy on disk tells of an earlier time.
    #[error(
        "{service} cannot be found: the platform has not answered for {waited:?}; is it running? Try again later"
    )]
    Unresolved {
        /// The service called.
        service: String,
        /// How long the call waited.
        waited: Duration,
    },
    /// No instance can be called.
    #[error("{service} has no instance to call: {reason}; see `guildhall instances {service}`")]
    NoInstance {
        /// The service called.
        service: String,
        /// Whether none is registered, or none healthy.
        reason: String,
    },
    /// The instance could not be connected to: it did not see the call, which may be made again.
    #[error(
        "{service} could not be reached at {instance}: {cause}; the call was not received and may be made again"
    )]
    Connect {
        /// The service called.
        service: String,
        /// The instance's id.
        instance: String,
        /// What the system said.
        cause: String,
    },
    /// The instance turned the call away before it looked at it (HTTP/2's `REFUSED_STREAM`, a connection that was going
    /// away): it may be made again.
    #[error(
        "{service} turned the call away at {instance}: {cause}; the call was not looked at and may be made again"
    )]
    Refused {
        /// The service called.
        service: String,
        /// The instance's id.
        instance: String,
        /// How it was refused.
        cause: String,
    },
    /// A rule turned the call away before it was sent: an open breaker, a full bulkhead, a rate limit. It says which
    /// policy's which revision that was, and when to come back.
    ///
    /// ```
    /// use guildhall::CallError;
    ///
    /// fn retry_after(error: &CallError) -> Option<std::time::Duration> {
    ///     match error {
    ///         CallError::Rejected { rejected, .. } => rejected.retry_after,
    ///         _ => None,
    ///     }
    /// }
    /// # let _ = retry_after;
    /// ```
    #[error("{service} was not called: {rejected}")]
    Rejected {
        /// The service called.
        service: String,
        /// By what, and until when.
        rejected: Rejected,
    },
    /// Whoever waits for the request that this call is a part of waits no longer.
    #[error(
        "{service} was not waited for any longer than the {left:?} that were left of the request's deadline{}; \
         give the request more time, or do less for it before this call",
        .instance.as_ref().map(|id| format!(" ({id} was asked)")).unwrap_or_default()
    )]
    DeadlineOver {
        /// The service called.
        service: String,
        /// The instance's id, if one was asked by then.
        instance: Option<String>,
        /// What was left of the deadline when the call began.
        left: Duration,
    },
    /// The call, or its last attempt, took too long.
    #[error(
        "{service} did not answer within {after:?}{}; the call may have been carried out, \
         make it again only if that does no harm",
        .instance.as_ref().map(|id| format!(" ({id} was asked)")).unwrap_or_default()
    )]
    Timeout {
        /// The service called.
        service: String,
        /// The instance's id, if one was chosen by then.
        instance: Option<String>,
        /// The timeout.
        after: Duration,
    },
    /// The connection broke before there was a whole answer.
    #[error(
        "{service} broke off at {instance}: {cause}; the call may have been carried out, \
         make it again only if that does no harm"
    )]
    Broken {
        /// The service called.
        service: String,
        /// The instance's id.
        instance: String,
        /// How it broke.
        cause: String,
    },
    /// The answer is larger than is read into memory.
    #[error(
        "the answer of {service} at {instance} has more than {limit} bytes; ask for less at a time"
    )]
    TooLarge {
        /// The service called.
        service: String,
        /// The instance's id.
        instance: String,
        /// The most bytes that are read.
        limit: usize,
    },
    /// The answer's status is not the 2xx that was asked for.
    #[error(
        "{service} answered {status} at {instance}; its log has the cause under this request's id"
    )]
    Status {
        /// The service called.
        service: String,
        /// The instance's id.
        instance: String,
        /// The status.
        status: StatusCode,
    },
    /// The answer's body is not what was asked for.
    #[error(
        "the answer of {service} at {instance} cannot be read: {cause}; compare it with the service's contract"
    )]
    Unreadable {
        /// The service called.
        service: String,
        /// The instance's id.
        instance: String,
        /// What is wrong with it.
        cause: String,
    },
    /// The call cannot be written down.
    #[error("the call to {service} cannot be sent: {cause}")]
    Invalid {
        /// The service called.
        service: String,
        /// What is wrong with it.
        cause: String,
    },
}

impl CallError {
    /// The service that was called.
    pub fn service(&self) -> &str {
        match self {
            Self::NotStarted { service }
            | Self::NoPlatform { service }
            | Self::Unresolved { service, .. }
            | Self::NoInstance { service, .. }
            | Self::Connect { service, .. }
            | Self::Refused { service, .. }
            | Self::Rejected { service, .. }
            | Self::DeadlineOver { service, .. }
            | Self::Timeout { service, .. }
            | Self::Broken { service, .. }
            | Self::TooLarge { service, .. }
            | Self::Status { service, .. }
            | Self::Unreadable { service, .. }
            | Self::Invalid { service, .. } => service,
        }
    }

    /// Whether the service could not be reached or did not answer, so that the caller should say
    /// so (503) rather than blame itself or the request.
    pub fn is_unavailable(&self) -> bool {
        matches!(
            self,
            Self::NotStarted { .. }
                | Self::NoPlatform { .. }
                | Self::Unresolved { .. }
                | Self::NoInstance { .. }
                | Self::Connect { .. }
                | Self::Refused { .. }
                | Self::Rejected { .. }
                | Self::DeadlineOver { .. }
                | Self::Timeout { .. }
                | Self::Broken { .. }
        )
    }

    /// Whether the call may be made again as it is: it was not carried out. (Where an earlier attempt of it may have
    /// been, it is one that may be carried out twice.)
    pub fn was_not_sent(&self) -> bool {
        match self {
            Self::NotStarted { .. }
            | Self::NoPlatform { .. }
            | Self::Unresolved { .. }
            | Self::NoInstance { .. }
            | Self::Connect { .. }
            | Self::Refused { .. }
            | Self::Rejected { .. }
            | Self::Invalid { .. } => true,
            Self::DeadlineOver { instance, .. } | Self::Timeout { instance, .. } => {
                instance.is_none()
            }
            Self::Broken { .. }
            | Self::TooLarge { .. }
            | Self::Status { .. }
            | Self::Unreadable { .. } => false,
        }
    }

    /// The rule's refusal, if that is what it is.
    pub fn rejected(&self) -> Option<&Rejected> {
        match self {
            Self::Rejected { rejected, .. } => Some(rejected),
            _ => None,
        }
    }

    /// What retries and fallbacks make of it.
    pub(crate) fn class(&self) -> FailureClass {
        match self {
            // Nothing was sent, and nothing would be a moment later.
            Self::NotStarted { .. }
            | Self::NoPlatform { .. }
            | Self::Unresolved { .. }
            | Self::NoInstance { .. }
            | Self::Rejected { .. } => FailureClass::Rejected,
            Self::Connect { .. } => FailureClass::Connect,
            Self::Refused { .. } => FailureClass::Refused,
            Self::DeadlineOver { .. } | Self::Timeout { .. } => FailureClass::DeadlineExpired,
            Self::Broken { .. } => FailureClass::Reset,
            Self::Status { status, .. } => {
                FailureClass::of_status(status.as_u16()).unwrap_or(FailureClass::ServerError)
            }
            // It would be no other the next time.
            Self::TooLarge { .. } | Self::Unreadable { .. } | Self::Invalid { .. } => {
                FailureClass::ClientError
            }
        }
    }

    /// What a breaker makes of it.
    pub(crate) fn error_class(&self) -> ErrorClass {
        match self {
            Self::NotStarted { .. }
            | Self::NoPlatform { .. }
            | Self::Unresolved { .. }
            | Self::NoInstance { .. }
            | Self::Rejected { .. }
            | Self::Invalid { .. } => ErrorClass::Rejected,
            Self::Connect { .. } => ErrorClass::Connect,
            Self::Timeout { .. } => ErrorClass::AttemptTimeout,
            Self::DeadlineOver { .. } => ErrorClass::DeadlineExceeded,
            Self::Refused { .. } | Self::Broken { .. } => ErrorClass::Reset,
            // The service answered; it is we who do not take the answer.
            Self::TooLarge { .. } | Self::Unreadable { .. } | Self::Status { .. } => {
                ErrorClass::Cancelled
            }
        }
    }

    /// Its name in metrics.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::NotStarted { .. } => "not-started",
            Self::NoPlatform { .. } => "no-platform",
            Self::Unresolved { .. } => "unresolved",
            Self::NoInstance { .. } => "no-instance",
            Self::Connect { .. } => "connect",
            Self::Refused { .. } => "refused",
            Self::Rejected { .. } => "rejected",
            Self::DeadlineOver { .. } => "deadline-over",
            Self::Timeout { .. } => "timeout",
            Self::Broken { .. } => "broken",
            Self::TooLarge { .. } => "too-large",
            Self::Status { .. } => "status",
            Self::Unreadable { .. } => "unreadable",
            Self::Invalid { .. } => "invalid",
        }
    }
}
