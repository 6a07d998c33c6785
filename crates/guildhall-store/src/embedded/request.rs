//! What the writing thread is asked, and the answers it holds back until they are true on disk.

use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use crate::{
    Blob, CommitError, Committed, CompactError, LeaseError, LeaseId, ReadOnly, Transaction,
    Unavailable,
};

/// Where an answer goes. Whoever asked may have gone away.
pub(crate) type Reply<T, E> = oneshot::Sender<Result<T, E>>;

/// A request to the writer.
pub(crate) enum Request {
    /// A transaction within the limits.
    Commit(Transaction, Reply<Committed, CommitError>),
    Grant(Duration, Reply<LeaseId, LeaseError>),
    KeepAlive(LeaseId, Reply<Duration, LeaseError>),
    Revoke(LeaseId, Reply<(), LeaseError>),
    Compact(u64, Reply<(), CompactError>),
    /// Something was due at this time.
    Tick(Instant),
}

impl Request {
    /// The blobs that it brings along, which are to be durable before it is decided.
    pub(crate) fn take_blobs(&mut self) -> Vec<Blob> {
        match self {
            Self::Commit(transaction, _) => std::mem::take(&mut transaction.blobs),
            _ => Vec::new(),
        }
    }
}

/// An answer that holds once the group it was decided in is durable.
pub(crate) enum Answer {
    Commit(
        Reply<Committed, CommitError>,
        Result<Committed, CommitError>,
    ),
    Grant(Reply<LeaseId, LeaseError>, Result<LeaseId, LeaseError>),
    KeepAlive(Reply<Duration, LeaseError>, Result<Duration, LeaseError>),
    Revoke(Reply<(), LeaseError>, Result<(), LeaseError>),
    Compact(Reply<(), CompactError>, Result<(), CompactError>),
}

/// What became of a group that was not committed.
#[derive(Clone, Debug)]
pub(crate) enum Failure {
    /// Nothing of it was kept.
    Undone(ReadOnly),
    /// It may be found after a restart, or not.
    Unknown(ReadOnly),
}

impl Answer {
    /// The group is durable.
    pub(crate) fn send(self) {
        match self {
            Self::Commit(reply, result) => drop(reply.send(result)),
            Self::Grant(reply, result) => drop(reply.send(result)),
            Self::KeepAlive(reply, result) => drop(reply.send(result)),
            Self::Revoke(reply, result) => drop(reply.send(result)),
            Self::Compact(reply, result) => drop(reply.send(result)),
        }
    }

    /// It is not. A refusal is no longer true either, as it may rest on what was undone; but that nothing can be
    /// written is, and a renewal is.
    pub(crate) fn fail(self, failure: &Failure) {
        match self {
            Self::Commit(reply, Err(CommitError::ReadOnly(why))) => {
                drop(reply.send(Err(why.into())))
            }
            Self::Commit(reply, _) => drop(reply.send(Err(failure.into()))),
            Self::Grant(reply, _) => drop(reply.send(Err(failure.into()))),
            Self::KeepAlive(reply, Ok(ttl)) => drop(reply.send(Ok(ttl))),
            Self::KeepAlive(reply, Err(_)) => drop(reply.send(Err(failure.into()))),
            Self::Revoke(reply, _) => drop(reply.send(Err(failure.into()))),
            Self::Compact(reply, _) => drop(reply.send(Err(failure.into()))),
        }
    }
}

impl From<&Failure> for CommitError {
    fn from(failure: &Failure) -> Self {
        match failure {
            Failure::Undone(why) => why.clone().into(),
            Failure::Unknown(why) => Self::Unknown(why.to_string()),
        }
    }
}

impl From<&Failure> for LeaseError {
    fn from(failure: &Failure) -> Self {
        match failure {
            Failure::Undone(why) => why.clone().into(),
            Failure::Unknown(why) => Self::Unknowable(why.to_string()),
        }
    }
}

impl From<&Failure> for CompactError {
    fn from(failure: &Failure) -> Self {
        let (Failure::Undone(why) | Failure::Unknown(why)) = failure;
        why.clone().into()
    }
}

/// The answer to whoever asks a writer that is gone.
pub(crate) fn stopped<E: From<Unavailable>>() -> E {
    Unavailable::Stopped.into()
}
