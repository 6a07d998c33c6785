//! Why a call failed, and whether to make it again.

use std::{error::Error, fmt::Write, time::Duration};

use http::StatusCode;

use crate::wire::{Code, Problem};

/// A call that did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The server answered, and the answer is no.
    #[error("{server}: {problem}")]
    Refused {
        /// Which server.
        server: String,
        /// Why, and the next move.
        problem: Box<Problem>,
        /// How long the server asks to wait before the next attempt.
        retry_after: Option<Duration>,
    },
    /// No server could be connected to: nothing was carried out.
    #[error("cannot reach {servers}: {cause}; is the platform running, and is this its address?")]
    Unreachable {
        /// All that were tried.
        servers: String,
        /// Why the last one failed.
        cause: String,
    },
    /// The connection broke after the call was sent.
    #[error("{server} broke off the connection: {cause}; a write may or may not have been made")]
    Broken {
        /// Which server.
        server: String,
        /// How it broke.
        cause: String,
    },
    /// No answer in time.
    #[error("{server} did not answer within {after:?}; a write may or may not have been made")]
    Timeout {
        /// Which server.
        server: String,
        /// How long the call was given.
        after: Duration,
    },
    /// What came is not what the API answers.
    #[error(
        "the answer of {server} cannot be read: {cause}; is it a Guildhall server of this version?"
    )]
    Malformed {
        /// Which server.
        server: String,
        /// What is wrong with it.
        cause: String,
    },
    /// A watch's stream ended; asking for its next event takes it up again.
    #[error("the watch on {server} ended: {cause}")]
    WatchEnded {
        /// Which server.
        server: String,
        /// Why.
        cause: String,
    },
    /// The call cannot be written down.
    #[error("the call cannot be sent: {0}")]
    Unsendable(String),
}

impl ClientError {
    /// What the server said, if it answered.
    pub fn problem(&self) -> Option<&Problem> {
        match self {
            Self::Refused { problem, .. } => Some(problem),
            _ => None,
        }
    }

    /// The code the server answered, if it answered.
    pub fn code(&self) -> Option<Code> {
        self.problem().map(|problem| problem.code)
    }

    /// The HTTP status, if the server answered.
    pub fn status(&self) -> Option<StatusCode> {
        self.problem().map(Problem::status_code)
    }

    /// Whether what was asked for does not exist.
    pub fn is_not_found(&self) -> bool {
        self.code() == Some(Code::NotFound)
    }

    /// Whether the same call may succeed later, without anything being changed.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Refused { problem, .. } => {
                problem.code.is_retryable()
                    || problem.status_code() == StatusCode::SERVICE_UNAVAILABLE
            }
            Self::Unreachable { .. }
            | Self::Broken { .. }
            | Self::Timeout { .. }
            | Self::WatchEnded { .. } => true,
            Self::Malformed { .. } | Self::Unsendable(_) => false,
        }
    }

    /// How long the server asks to wait before the next attempt.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Refused { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

/// An error with its causes on one line; each level of hyper's says only its own part.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let said = cause.to_string();
        if !text.ends_with(&said) {
            // Writing to a String cannot fail.
            let _ = write!(text, ": {said}");
        }
        next = cause.source();
    }
    text
}
