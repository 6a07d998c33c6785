//! The errors of the log, one enum per boundary, each saying the next move.

use std::{io, path::PathBuf, sync::Arc};

use crate::{Location, Sequence};

/// Why a commit did not happen. Cloneable, because everyone who waited for the commit gets it.
#[derive(Clone, Debug, thiserror::Error)]
pub enum CommitError {
    /// The disk is full. Nothing of the group was kept; a later commit succeeds once there is space again.
    #[error(
        "the disk that holds {file} is full; the write was undone and writing resumes when space returns"
    )]
    Full {
        /// The file that could not be written.
        file: PathBuf,
        /// The system's error.
        source: Arc<io::Error>,
    },
    /// The write failed. Nothing of the group was kept; a later commit may succeed.
    #[error("writing {file} failed; the write was undone and may be tried again")]
    Write {
        /// The file that could not be written.
        file: PathBuf,
        /// The system's error.
        source: Arc<io::Error>,
    },
    /// The sync of this very group failed: whether it will survive a power loss is unknown, and the log is read-only.
    #[error(
        "syncing {file} failed; the log is read-only until it is reopened after a check of the disk"
    )]
    Sync {
        /// The file that could not be synced.
        file: PathBuf,
        /// The system's error.
        source: Arc<io::Error>,
    },
    /// An earlier sync failed, and the page cache no longer tells the truth. Nothing was written.
    #[error("the log is read-only because an earlier sync failed; check the disk and restart")]
    ReadOnly,
}

impl CommitError {
    /// Whether trying the same write again later can succeed without reopening the log.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Full { .. } | Self::Write { .. })
    }
}

/// A record longer than [`crate::Options::max_record`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a record of {length} bytes exceeds the limit of {limit}; split it or keep it as a blob")]
pub struct TooLarge {
    /// The record's length in bytes.
    pub length: usize,
    /// The limit in bytes.
    pub limit: usize,
}

/// What was found broken, and where.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{file} is damaged at offset {offset}: {what}")]
pub struct Damage {
    /// The damaged file.
    pub file: PathBuf,
    /// Where the damage begins, in bytes from the file's start.
    pub offset: u64,
    /// What was expected there.
    pub what: String,
}

/// Why a log (or a checkpoint) could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Synced data can no longer be read.
    #[error(
        "{0}; restore the latest snapshot, or move the file aside if its records may be lost, then start again"
    )]
    Damaged(Damage),
    /// The file was written by a newer version.
    #[error(
        "{file} has format version {found}, this version reads up to {supported}; start a newer guildhall"
    )]
    Version {
        /// The file.
        file: PathBuf,
        /// The version it carries.
        found: u32,
        /// The newest version that can be read.
        supported: u32,
    },
    /// The wanted start was dropped already.
    #[error(
        "records from {wanted} are needed, but the log in {directory} begins at {oldest}; restore the latest snapshot"
    )]
    Dropped {
        /// The log's directory.
        directory: PathBuf,
        /// The first record that was wanted.
        wanted: Sequence,
        /// The first record that is kept.
        oldest: Sequence,
    },
    /// The owner refused a record during replay.
    #[error("record {sequence} cannot be replayed")]
    Replay {
        /// The refused record.
        sequence: Sequence,
        /// The owner's reason.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The operating system said no.
    #[error("{action} {file} failed")]
    Io {
        /// What was tried: `reading`, `truncating`, …
        action: &'static str,
        /// The file or directory.
        file: PathBuf,
        /// The system's error.
        source: io::Error,
    },
}

/// Why a reader could not go on.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ReadError {
    /// The wanted record was dropped; start again from a checkpoint or from `oldest`.
    #[error("record {wanted} was dropped already, the oldest kept is {oldest}; resynchronise")]
    Dropped {
        /// The record the reader stood at.
        wanted: Sequence,
        /// The oldest record still kept.
        oldest: Sequence,
    },
    /// The segment of a record that was asked for by its place is not kept (any more).
    #[error("the record at {} of segment {} is not kept; look its place up again", at.offset, at.segment)]
    Gone {
        /// The place.
        at: Location,
    },
    /// Synced data can no longer be read: in a log of [`crate::OnDamage::Refuse`], or where a single record was asked for.
    #[error("{0}; restore the latest snapshot")]
    Damaged(Damage),
    /// The log was closed and everything durable has been read.
    #[error("the log is closed")]
    Closed,
    /// The operating system said no.
    #[error("reading {file} failed")]
    Io {
        /// The file.
        file: PathBuf,
        /// The system's error.
        source: Arc<io::Error>,
    },
}
