//! Why a configuration cannot be had.

use std::path::PathBuf;

use guildhall_api::client::{ClientError, OptionsError};

/// Why a configuration cannot be had at the start. Later, what is wrong is reported, and the last good one stays.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// What the author set is not valid.
    #[error("the configuration {file} is not set up right: {detail}")]
    Settings {
        /// Its name.
        file: String,
        /// What is wrong, and what would be right.
        detail: String,
    },
    /// A local file cannot be read.
    #[error("{} cannot be read: {cause}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: std::io::Error,
    },
    /// The platform has no such file, and nothing else is to stand in for it.
    #[error(
        "the platform has no configuration {config}; release one (guildhall config set {config} -f FILE), or make it optional"
    )]
    Missing {
        /// Its full name: `service/environment/file`.
        config: String,
    },
    /// The platform is away, and there is no copy of what it said before.
    #[error("the platform could not be asked for {config} ({cause}), and there is no copy on disk")]
    Unreachable {
        /// Its full name.
        config: String,
        /// Why not.
        cause: String,
    },
    /// The platform refuses to tell it.
    #[error("the platform does not tell {config}: {cause}")]
    Refused {
        /// Its full name.
        config: String,
        /// What it said.
        cause: Box<ClientError>,
    },
    /// It is not what the program takes.
    #[error("the configuration {config} is not valid: {detail}")]
    Invalid {
        /// Its full name.
        config: String,
        /// Each value that is wrong, where it was written, and why.
        detail: String,
    },
    /// The platform's address, token or trust is not valid.
    #[error("the platform cannot be called: {0}")]
    Platform(#[from] OptionsError),
}
