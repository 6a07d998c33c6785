//! Why a service of the shop does not run.

use std::{io, path::PathBuf};

/// Why a service of the shop does not run.
#[derive(Debug, thiserror::Error)]
pub enum ShopError {
    /// Its file cannot be used.
    #[error(
        "cannot use {path}: {cause}; choose another data directory, or correct its permissions"
    )]
    Data {
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// Its settings are not valid.
    #[error(transparent)]
    Settings(#[from] guildhall::ConfigError),
    /// The service did not start.
    #[error(transparent)]
    Service(#[from] guildhall::ServiceError),
}
