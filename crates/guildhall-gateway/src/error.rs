//! Why a gateway does not start.

use std::{io, net::SocketAddr, path::PathBuf};

/// Why a gateway does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Another process listens there.
    #[error("{address} is already in use; stop what listens there or choose another address")]
    InUse {
        /// The address asked for.
        address: SocketAddr,
    },
    /// The address cannot be listened on.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address asked for.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// No address was given.
    #[error("give the gateway at least one address to listen on")]
    NoAddress,
    /// The access log cannot be written.
    #[error("cannot write the access log to {path}")]
    AccessLog {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A thread or its event loop cannot be made.
    #[error("cannot start a thread of the gateway")]
    Thread {
        /// What the system says.
        source: io::Error,
    },
}
