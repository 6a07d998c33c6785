//! How a call failed, while it is among the layers.

use std::time::Duration;

use guildhall_core::policy::guard::Rules;
use guildhall_resilience::{
    Pattern, Rejection, classify::ErrorClass, deadline::Expiry, retry::FailureClass,
    tower::deadline::Expired,
};

use super::{CallError, outgoing::Tried};
use crate::policy::Sdk;

/// How a call failed, while it is among the layers: what they say themselves says nothing yet of service and policy.
#[derive(Clone, Debug)]
pub(crate) enum Failure {
    /// An error that the author may see as it is.
    Call(CallError),
    /// A layer turned it away.
    Rejected(Rejection),
    /// Its time was over.
    Expired(Expired),
}

impl From<CallError> for Failure {
    fn from(error: CallError) -> Self {
        Self::Call(error)
    }
}

impl From<Rejection> for Failure {
    fn from(rejection: Rejection) -> Self {
        Self::Rejected(rejection)
    }
}

impl From<Expired> for Failure {
    fn from(expired: Expired) -> Self {
        Self::Expired(expired)
    }
}

/// The times that a call had, to be told when they are over.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    /// The whole call, by our own limit.
    pub(crate) call: Option<Duration>,
    /// One attempt.
    pub(crate) attempt: Option<Duration>,
    /// What was left of the deadline that came with the request that is being answered, if that is the nearer one.
    pub(crate) inherited: Option<Duration>,
}

impl Failure {
    /// What a breaker makes of it.
    pub(crate) fn error_class(&self) -> ErrorClass {
        match self {
            Self::Call(error) => error.error_class(),
            Self::Rejected(_) => ErrorClass::Rejected,
            Self::Expired(expired) => expired.expiry.error(),
        }
    }

    /// What retries and fallbacks make of it.
    pub(crate) fn class(&self) -> FailureClass {
        match self {
            Self::Call(error) => error.class(),
            Self::Rejected(Rejection {
                by: Pattern::Deadline,
                ..
            }) => FailureClass::DeadlineExpired,
            Self::Rejected(_) => FailureClass::Rejected,
            Self::Expired(expired) => expired.expiry.class(),
        }
    }

    /// A layer's refusal, told with the policy that it is by, and counted. The deadline's is left: it is nobody's rule
    /// that the time was over.
    pub(crate) fn explained(self, service: &str, rules: &Rules<Sdk>) -> Self {
        match self {
            Self::Rejected(rejection) if rejection.by != Pattern::Deadline => {
                Self::Call(CallError::Rejected {
                    service: service.to_owned(),
                    rejected: rules.explain(rejection),
                })
            }
            other => other,
        }
    }

    /// As the author sees it.
    pub(crate) fn into_error(
        self,
        service: &str,
        rules: &Rules<Sdk>,
        times: Times,
        tried: &Tried,
    ) -> CallError {
        let instance = || tried.latest().map(|endpoint| endpoint.id.clone());
        let timeout = |after: Option<Duration>| CallError::Timeout {
            service: service.to_owned(),
            instance: instance(),
            after: after.unwrap_or_default(),
        };
        let over = || CallError::DeadlineOver {
            service: service.to_owned(),
            instance: instance(),
            left: times.inherited.unwrap_or_default(),
        };
        match self.explained(service, rules) {
            Self::Call(error) => error,
            Self::Expired(Expired { expiry }) => match expiry {
                Expiry::Attempt => timeout(times.attempt),
                Expiry::Request | Expiry::CutShort => timeout(times.call),
                Expiry::Inherited => over(),
            },
            // The deadline's: it was over before the next thing was done.
            Self::Rejected(_) => match times.inherited {
                Some(_) => over(),
                None => timeout(times.call),
            },
        }
    }
}
