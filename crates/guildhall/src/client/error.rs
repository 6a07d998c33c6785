//! Why a call did not succeed, and the next move.

use std::time::Duration;

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
    /// The whole call took too long.
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
                | Self::Timeout { .. }
                | Self::Broken { .. }
        )
    }

    /// Whether the call was certainly not carried out, and may be made again as it is.
    pub fn was_not_sent(&self) -> bool {
        matches!(
            self,
            Self::NotStarted { .. }
                | Self::NoPlatform { .. }
                | Self::Unresolved { .. }
                | Self::NoInstance { .. }
                | Self::Connect { .. }
                | Self::Invalid { .. }
        )
    }
}
