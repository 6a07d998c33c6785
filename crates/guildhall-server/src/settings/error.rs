//! What can be wrong with settings; every message names the setting, where it was given and the next move.

use std::{fmt, path::PathBuf};

/// Where a setting's value comes from; later ones win.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// Nobody gave one.
    Default,
    /// A settings file.
    File(PathBuf),
    /// An environment variable.
    Environment(String),
    /// A flag of the command line.
    Flag(String),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Environment(variable) => f.write_str(variable),
            Self::Flag(flag) => f.write_str(flag),
        }
    }
}

/// Settings that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The file cannot be read.
    #[error("cannot read the settings file {path}: {cause}; check the path given to --config")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: std::io::Error,
    },
    /// The file is not TOML.
    #[error("{path} is not TOML: {detail}")]
    NotToml {
        /// The file.
        path: PathBuf,
        /// Where and why; never what stands there, which may be a secret.
        detail: String,
    },
    /// One or more settings are wrong; all of them are named.
    #[error("{}", join(.0))]
    Wrong(Vec<Finding>),
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The setting, `section.key`, as it was given.
    pub setting: String,
    /// Where it was given.
    pub source: Source,
    /// What is wrong and what would be right.
    pub detail: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.setting, self.detail)?;
        match &self.source {
            Source::Default => Ok(()),
            source => write!(f, " (from {source})"),
        }
    }
}

fn join(findings: &[Finding]) -> String {
    let lines: Vec<String> = findings.iter().map(Finding::to_string).collect();
    lines.join("\n")
}
