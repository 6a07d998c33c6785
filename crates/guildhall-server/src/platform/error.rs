//! Why a platform did not start.

use std::{io, net::SocketAddr, path::PathBuf};

use super::PlaneError;
use crate::{auth::TokenFileError, settings::SettingsError, tls::CertificateError};

/// Why a platform did not start; what had been started is stopped again.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The settings cannot be used.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The data directory cannot be used.
    #[error(
        "cannot use the data directory {path}: {cause}; choose another with --data-dir, or correct its permissions"
    )]
    Directory {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// Another node runs on the data directory.
    #[error(
        "the data directory {path} is in use by another node; stop that one, or choose another directory with --data-dir"
    )]
    Taken {
        /// The directory.
        path: PathBuf,
    },
    /// An address is taken, or not this machine's.
    #[error(
        "cannot listen on {address} ({setting}): {cause}; end what listens there, or choose another address, port 0 for any"
    )]
    Listen {
        /// The setting that gives the address.
        setting: &'static str,
        /// The address.
        address: SocketAddr,
        /// What the system said.
        cause: io::Error,
    },
    /// The token file cannot be used.
    #[error(transparent)]
    Tokens(#[from] TokenFileError),
    /// The keys of sealed values cannot be used.
    #[error(transparent)]
    SealKeys(#[from] super::seal::SealKeyError),
    /// The certificate cannot be used.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// TLS cannot be set up.
    #[error("cannot set up TLS: {0}")]
    Tls(#[from] rustls::Error),
    /// The control role did not start.
    #[error(transparent)]
    Plane(#[from] PlaneError),
    /// The client of the control nodes cannot be made.
    #[error("server.control cannot be used: {0}")]
    Client(#[from] guildhall_api::client::OptionsError),
    /// The Redis for rate limits cannot be used.
    #[error("rate_limit cannot be used: {0}")]
    Redis(#[from] guildhall_gateway::ConfigError),
    /// A thread that worked on the start ended.
    #[error("the start of {0} was given up; this is a defect, please report it")]
    GivenUp(&'static str),
    /// The gateway did not start.
    #[error("the gateway did not start: {}", chain(.0))]
    Gateway(#[from] guildhall_gateway::StartError),
}

impl StartError {
    /// Whether the store is there and cannot be read, so that only a snapshot brings the node back.
    pub fn is_damage(&self) -> bool {
        matches!(self, Self::Plane(PlaneError::Open(error)) if error.is_damage())
    }
}

/// An error with its causes on one line.
fn chain(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {}", chain(cause)),
        None => error.to_string(),
    }
}
