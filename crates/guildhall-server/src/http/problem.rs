//! What a control error is to a client. Internal causes go to the log.

use guildhall_api::wire::{Code, Problem};
use guildhall_control::Error;
use guildhall_core::document::{FieldProblem, Problems};
use guildhall_store::{BlobError, Unavailable};

/// A call that is refused. Boxed: answers are many, refusals few, and a problem is large.
pub(crate) type Refusal = Box<Problem>;

/// Refuses a call.
pub(crate) fn refuse(code: Code, detail: impl Into<String>) -> Refusal {
    Box::new(Problem::new(code, detail))
}

/// Refuses a document, with each of its bad fields.
pub(crate) fn invalid(problems: Problems) -> Refusal {
    Box::new(Problem::invalid(problems))
}

/// The problem to answer `error` with.
pub(crate) fn of(error: Error) -> Refusal {
    let text = error.to_string();
    match error {
        Error::Denied(_) | Error::OwnDraft { .. } => refuse(Code::Forbidden, text),
        Error::ApprovalRequired { .. } => refuse(Code::ApprovalRequired, text),
        Error::NotFound(_)
        | Error::NoVersion { .. }
        | Error::NoGray { .. }
        | Error::NoDraft { .. }
        | Error::CheckNotFound { .. } => refuse(Code::NotFound, text),
        Error::Invalid(problems) => invalid(problems),
        Error::Precondition { .. } => refuse(Code::PreconditionFailed, text),
        Error::Conflict(_) | Error::Contention(_) | Error::StaleDraft { .. } => {
            refuse(Code::Conflict, text)
        }
        Error::Gone => refuse(Code::ContinueExpired, text),
        Error::BadContinue(_) => refuse(Code::BadRequest, text),
        Error::NoSealKey { .. } => refuse(Code::SealKeyMissing, text),
        Error::ContractRefused(_) => refuse(Code::ContractBroken, text),
        Error::Held { .. } => refuse(Code::LockHeld, text),
        Error::NotHeld { .. } => refuse(Code::LockLost, text),
        Error::TooManyWatchers { .. } | Error::TooManyReports { .. } => {
            refuse(Code::TooManyRequests, text)
        }
        Error::TooLarge(_) => {
            let mut problem = refuse(Code::InvalidDocument, text.clone());
            problem.errors = vec![FieldProblem {
                pointer: String::new(),
                detail: text,
            }];
            problem
        }
        Error::ReadOnly(_) => refuse(Code::ReadOnly, text),
        Error::Unavailable(Unavailable::Unsupported(_)) => internal(&text),
        Error::Unavailable(_) | Error::Stopped | Error::NotOnDuty { .. } => {
            refuse(Code::NotReady, text)
        }
        Error::Unknown(_) => {
            tracing::error!(error = %text, "whether a write was made is not known");
            refuse(
                Code::Timeout,
                "whether this was done is not known; read before trying again",
            )
        }
        Error::Blob(BlobError::TooLarge { .. }) => refuse(Code::InvalidDocument, text),
        // A full disk, most likely: what to do about it is in the text.
        Error::Blob(BlobError::Io { .. }) => {
            tracing::error!(error = %text, "a content could not be kept or read");
            refuse(Code::ReadOnly, text)
        }
        Error::Blob(_) | Error::ContentLost { .. } => {
            tracing::error!(error = %text, "a content is not what was written");
            refuse(Code::Internal, text)
        }
        Error::NoRandom | Error::Encoding(_) | Error::Store(_) => internal(&text),
    }
}

/// A fault of the server's: the client gets no cause, the log does.
fn internal(cause: &str) -> Refusal {
    tracing::error!(error = %cause, "a call failed");
    refuse(
        Code::Internal,
        "the server could not do this; its log has the cause under this request's id",
    )
}
