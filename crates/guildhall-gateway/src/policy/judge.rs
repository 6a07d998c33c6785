//! What the end of an attempt means: to breakers and outlier detection, to retries, to fallbacks.

use guildhall_core::{
    policy::guard::{Ended, RetryGuard},
    route::Reason,
};
use guildhall_resilience::{classify::ErrorClass, retry::FailureClass};

use crate::{answer::Refusal, exchange::Answered};

/// How an attempt ended. `limited` says whether attempts have a timeout of their own: if not, the service had all the
/// time there was.
pub(crate) fn ended(reason: Reason, limited: bool) -> Ended {
    let class = match reason {
        Reason::UpstreamConnectFailed => ErrorClass::Connect,
        Reason::UpstreamReset => ErrorClass::Reset,
        Reason::UpstreamInvalid => ErrorClass::Protocol,
        Reason::UpstreamTimeout => ErrorClass::AttemptTimeout,
        // How long its caller waits says nothing of a service.
        Reason::DeadlineOver => ErrorClass::DeadlineExceeded,
        Reason::RequestTimeout if limited => ErrorClass::DeadlineExceeded,
        Reason::RequestTimeout => ErrorClass::AttemptTimeout,
        // The upload broke off.
        Reason::RequestInvalid => ErrorClass::Cancelled,
        _ => ErrorClass::Rejected,
    };
    Ended::Failed(class)
}

/// The same of an attempt that may have been answered.
pub(super) fn ended_with(result: &Result<Answered, Refusal>, limited: bool) -> Ended {
    match result {
        Ok(answered) => Ended::Status(answered.response.status().as_u16()),
        Err(refusal) => ended(refusal.reason, limited),
    }
}

/// As what an attempt failed; `None` if it did not.
pub(super) fn failure(result: &Result<Answered, Refusal>) -> Option<FailureClass> {
    match result {
        Ok(answered) => FailureClass::of_status(answered.response.status().as_u16()),
        Err(refusal) => unanswered(refusal),
    }
}

/// The same as `retry` has it, whose rule may name the statuses itself.
pub(super) fn failure_for(
    retry: &RetryGuard,
    result: &Result<Answered, Refusal>,
) -> Option<FailureClass> {
    match result {
        Ok(answered) => retry.failure(answered.response.status().as_u16()),
        Err(refusal) => unanswered(refusal),
    }
}

fn unanswered(refusal: &Refusal) -> Option<FailureClass> {
    if refusal.reason == Reason::RequestTimeout {
        return Some(FailureClass::DeadlineExpired);
    }
    match ended(refusal.reason, true) {
        Ended::Failed(class) => Some(FailureClass::of_error(class)),
        Ended::Status(_) | Ended::Grpc(_) => None,
    }
}
