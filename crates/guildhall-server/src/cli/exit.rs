//! Exit codes: few, stable, documented.

use std::process::ExitCode;

use clap::Args;

use super::{Failure, output};

macro_rules! exits {
    ($($(#[doc = $doc:literal])+ $exit:ident = $code:literal,)*) => {
        /// How a command ended.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Exit {
            $($(#[doc = $doc])+ $exit = $code,)*
        }

        /// Every code with what it means.
        const MEANINGS: &[(u8, &str)] = &[$(($code, concat!($($doc),+))),*];
    };
}

exits! {
    /// Done.
    Ok = 0,
    /// Failed, for a reason that none of the others names.
    Failure = 1,
    /// The command line or the settings are not right; nothing was tried.
    Usage = 2,
    /// What was asked for does not exist.
    NotFound = 3,
    /// Something else stands in the way: a precondition, a lock's holder, a contract.
    Conflict = 4,
    /// There is no token, or it does not allow this.
    Denied = 5,
    /// No server could be reached, or it is not ready.
    Unreachable = 6,
    /// A document is not valid.
    Invalid = 7,
    /// It took too long; a write may or may not have been made.
    Timeout = 8,
    /// `diff` found differences.
    Different = 9,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit as u8)
    }
}

/// What the exit codes mean.
#[derive(Debug, Args)]
#[command(after_help = page())]
pub(super) struct ExitCodes {}

fn page() -> String {
    let lines: Vec<String> = MEANINGS
        .iter()
        .map(|(code, meaning)| format!("  {code}  {}", meaning.trim()))
        .collect();
    format!(
        "Exit codes:\n{}\n\n`register` and `lock run` end with the exit code of the program they ran; 128 and the \
         signal's number if a signal ended it.",
        lines.join("\n")
    )
}

impl ExitCodes {
    pub(super) fn run(self) -> Result<(), Failure> {
        output::text(&format!("{}\n", page()))
    }
}
