//! `guildhall settings`: the reference, a check, and what is in force.

use clap::{Args, Subcommand};

use super::{Failure, output, server::Given};
use crate::settings::{reference, show};

const EXAMPLES: &str = "\
Examples:
  guildhall settings reference                             every setting, as Markdown
  guildhall settings validate --config guildhall.toml      is this file right? (exit code 2 if not)
  guildhall settings show --config guildhall.toml          what is in force, and where it comes from
  GUILDHALL__LOG__LEVEL=debug guildhall settings show --changed";

/// Explain, check and show settings
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Settings {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Print every setting with its default, as Markdown
    Reference,
    /// Check file, variables and flags without starting anything
    Validate {
        #[command(flatten)]
        given: Box<Given>,
    },
    /// Print the settings in force as TOML, with where each comes from; secrets are masked
    Show {
        #[command(flatten)]
        given: Box<Given>,
        /// Only those that are not defaults
        #[arg(long)]
        changed: bool,
    },
}

impl Settings {
    pub(super) fn run(self) -> Result<(), Failure> {
        match self.action {
            Action::Reference => output::text(&reference()),
            Action::Validate { given } => {
                given.load()?;
                output::text("the settings are valid\n")
            }
            Action::Show { given, changed } => output::text(&show(&given.load()?, changed)),
        }
    }
}
