//! Why a command failed: what happened, why, and the next move, on stderr, with an exit code.

use std::{fmt, io::Write, process::ExitCode};

use guildhall_api::{
    client::{ClientError, OptionsError},
    wire::{Code, Problem},
};

use super::Exit;
use crate::settings::SettingsError;

/// A command that failed.
#[derive(Debug)]
pub(crate) struct Failure {
    /// What could not be done.
    what: String,
    /// Why, one line each.
    why: Vec<String>,
    /// What to do next; empty if the reason says it.
    next: String,
    code: u8,
}

impl Failure {
    /// `what` could not be done.
    pub(crate) fn new(exit: Exit, what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            why: Vec::new(),
            next: String::new(),
            code: exit as u8,
        }
    }

    /// Ends with the exit code of a program that was run; says nothing, the program did.
    pub(crate) fn silent(code: u8) -> Self {
        Self {
            what: String::new(),
            why: Vec::new(),
            next: String::new(),
            code,
        }
    }

    /// Adds a reason.
    pub(crate) fn why(mut self, why: impl fmt::Display) -> Self {
        self.why.extend(why.to_string().lines().map(str::to_owned));
        self
    }

    /// Says what to do next.
    pub(crate) fn next(mut self, next: impl Into<String>) -> Self {
        self.next = next.into();
        self
    }

    /// A call that failed while doing `what`.
    pub(crate) fn call(what: impl Into<String>, error: &ClientError) -> Self {
        match error {
            ClientError::Refused {
                server, problem, ..
            } => Self::refused(what, server, problem),
            ClientError::Unreachable { servers, cause } => Self::new(Exit::Unreachable, what)
                .why(format!("{servers} cannot be reached: {cause}"))
                .next(unreachable(cause)),
            ClientError::Broken { .. } | ClientError::WatchEnded { .. } => {
                Self::new(Exit::Unreachable, what)
                    .why(error)
                    .next("try again")
            }
            ClientError::Timeout { .. } => Self::new(Exit::Timeout, what)
                .why(error)
                .next("see what is there now, then try again"),
            ClientError::Malformed { .. } | ClientError::Unsendable(_) => {
                Self::new(Exit::Failure, what).why(error)
            }
        }
    }

    fn refused(what: impl Into<String>, server: &str, problem: &Problem) -> Self {
        let (exit, next) = match problem.code {
            Code::NotFound | Code::UnknownPath => (Exit::NotFound, ""),
            Code::PreconditionFailed
            | Code::Conflict
            | Code::LockHeld
            | Code::LockLost
            | Code::SealKeyMissing
            | Code::ContractBroken => (Exit::Conflict, ""),
            Code::Unauthenticated => (Exit::Denied, "give a token: --token or GUILDHALL_TOKEN"),
            Code::Forbidden | Code::ApprovalRequired => (Exit::Denied, ""),
            Code::InvalidDocument => (Exit::Invalid, "correct what is named above"),
            Code::NotReady | Code::ReadOnly | Code::WrongNode => (Exit::Unreachable, ""),
            Code::Timeout | Code::IndexNotReached => (Exit::Timeout, "try again"),
            _ => (Exit::Failure, ""),
        };
        let failure = Self::new(exit, what);
        let failure = match problem.errors.as_slice() {
            [] => failure.why(&problem.detail),
            errors => errors.iter().fold(failure, |failure, error| {
                let at = if error.pointer.is_empty() {
                    "the document"
                } else {
                    &error.pointer
                };
                failure.why(format!("{at}: {}", error.detail))
            }),
        };
        let page = format!("{server}{}", problem.page);
        let next = if next.is_empty() {
            format!("see {page}")
        } else {
            format!("{next}; see {page}")
        };
        failure.next(next)
    }

    /// Prints it on stderr.
    pub(crate) fn print(&self) {
        if self.what.is_empty() {
            return;
        }
        // Nothing can be done when not even this can be written.
        let _ = write!(std::io::stderr().lock(), "{self}");
    }

    /// The exit code as a number.
    pub(crate) fn code(&self) -> u8 {
        self.code
    }

    /// The process's exit code.
    pub(crate) fn exit_code(&self) -> ExitCode {
        self.code.into()
    }
}

/// What to do about a server that cannot be reached. There is no telling but by the words: the cause went through TLS
/// and HTTP, and each says it in its own.
fn unreachable(cause: &str) -> &'static str {
    if cause.contains("CaUsedAsEndEntity") {
        "the server shows a certificate that is an authority's; make one for it with basicConstraints=CA:FALSE"
    } else if cause.contains("UnknownIssuer") {
        "say which authority to trust: --ca FILE or GUILDHALL_CA"
    } else if cause.contains("invalid peer certificate") {
        "give the server a certificate that is valid now and for the name in --server"
    } else if cause.contains("tls handshake eof") || cause.contains("InvalidContentType") {
        "the server may not speak TLS: try http:// in --server"
    } else {
        "start a server (guildhall server), or say where it is: --server URL or GUILDHALL_SERVER"
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "error: {}", self.what)?;
        for (at, why) in self.why.iter().enumerate() {
            writeln!(f, "  {} {why}", if at == 0 { "why: " } else { "     " })?;
        }
        if self.next.is_empty() {
            Ok(())
        } else {
            writeln!(f, "  next: {}", self.next)
        }
    }
}

impl From<OptionsError> for Failure {
    fn from(error: OptionsError) -> Self {
        Self::new(Exit::Usage, "the server cannot be called").why(error)
    }
}

impl From<SettingsError> for Failure {
    fn from(error: SettingsError) -> Self {
        Self::new(Exit::Usage, "the settings cannot be used")
            .why(error)
            .next("guildhall settings reference explains every setting")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_move_follows_from_what_stands_in_the_way() {
        for (cause, next) in [
            ("tcp connect error: Connection refused", "guildhall server"),
            ("invalid peer certificate: UnknownIssuer", "--ca"),
            (
                "invalid peer certificate: Other(OtherError(CaUsedAsEndEntity))",
                "CA:FALSE",
            ),
            ("invalid peer certificate: Expired", "valid now"),
            ("tls handshake eof", "http://"),
        ] {
            let error = ClientError::Unreachable {
                servers: "https://a:1".to_owned(),
                cause: cause.to_owned(),
            };
            let said = Failure::call("it failed", &error).to_string();
            assert!(said.contains(next), "{said}");
        }
    }
}
