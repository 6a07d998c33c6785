//! Why a store does not open, or does not take a request.

use guildhall_log::{CommitError, TooLarge};

use crate::otlp::WireError;

/// Why a store does not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The log does not open.
    #[error(transparent)]
    Log(#[from] guildhall_log::OpenError),
    /// The blocks' folder cannot be read, or there is no thread.
    #[error("the store of traces cannot be opened: {0}")]
    Io(#[from] std::io::Error),
}

/// Why a request was not taken.
#[derive(Clone, Debug, thiserror::Error)]
pub enum IngestError {
    /// It is not OTLP.
    #[error("not an OTLP request in protobuf: {0}")]
    Wire(#[from] WireError),
    /// It is longer than a record may be.
    #[error(transparent)]
    TooLarge(#[from] TooLarge),
    /// More comes than the disk takes: the client should wait and come again.
    #[error("more spans come than can be written at present; slow down and try again")]
    Overloaded,
    /// It could not be made durable.
    #[error(transparent)]
    Commit(#[from] CommitError),
    /// The store was closed.
    #[error("the store of traces is shut down")]
    Stopped,
}
