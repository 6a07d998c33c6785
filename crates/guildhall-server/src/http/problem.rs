//! What a control error is to a client. Internal causes go to the log.

use guildhall_api::wire::{Code, Problem};
use guildhall_control::Error;
use guildhall_core::document::FieldProblem;
use guildhall_store::Unavailable;

/// The problem to answer `error` with.
pub(crate) fn of(error: Error) -> Problem {
    let text = error.to_string();
    match error {
        Error::Denied(_) => Problem::new(Code::Forbidden, text),
        Error::NotFound(_) | Error::CheckNotFound { .. } => Problem::new(Code::NotFound, text),
        Error::Invalid(problems) => Problem::invalid(problems),
        Error::Precondition { .. } => Problem::new(Code::PreconditionFailed, text),
        Error::Conflict(_) | Error::Contention(_) => Problem::new(Code::Conflict, text),
        Error::Gone => Problem::new(Code::ContinueExpired, text),
        Error::BadContinue(_) => Problem::new(Code::BadRequest, text),
        Error::ContractRefused(_) => Problem::new(Code::ContractBroken, text),
        Error::Held { .. } => Problem::new(Code::LockHeld, text),
        Error::NotHeld { .. } => Problem::new(Code::LockLost, text),
        Error::TooManyWatchers { .. } => Problem::new(Code::TooManyRequests, text),
        Error::TooLarge(_) => {
            let mut problem = Problem::new(Code::InvalidDocument, text.clone());
            problem.errors = vec![FieldProblem {
                pointer: String::new(),
                detail: text,
            }];
            problem
        }
        Error::ReadOnly(_) => Problem::new(Code::ReadOnly, text),
        Error::Unavailable(Unavailable::Unsupported(_)) => internal(&text),
        Error::Unavailable(_) | Error::Stopped | Error::NotOnDuty { .. } => {
            Problem::new(Code::NotReady, text)
        }
        Error::Unknown(_) => {
            tracing::error!(error = %text, "whether a write was made is not known");
            Problem::new(
                Code::Timeout,
                "whether this was done is not known; read before trying again",
            )
        }
        Error::Encoding(_) | Error::Store(_) => internal(&text),
    }
}

/// A fault of the server's: the client gets no cause, the log does.
fn internal(cause: &str) -> Problem {
    tracing::error!(error = %cause, "a call failed");
    Problem::new(
        Code::Internal,
        "the server could not do this; its log has the cause under this request's id",
    )
}
