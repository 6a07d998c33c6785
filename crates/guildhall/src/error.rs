//! Why a service does not start.

use std::{io, net::SocketAddr};

use guildhall_api::client::OptionsError;

/// Why a service does not start.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// What the author set is not valid: a name, a path, an address.
    #[error("the service is not set up right: {}", .0.join("; "))]
    Settings(Vec<String>),
    /// The port cannot be listened on.
    #[error("cannot listen on {address}: {cause}; is another process using the port?")]
    Bind {
        /// Where.
        address: SocketAddr,
        /// What the system said.
        cause: io::Error,
    },
    /// The platform's address, token or trust is not valid.
    #[error("the platform cannot be called: {0}")]
    Platform(#[from] OptionsError),
    /// Signals cannot be listened for.
    #[error("signals cannot be received: {0}")]
    Signals(io::Error),
}
