//! What an owner decides about an embedded store.

use std::time::Duration;

use guildhall_log::CommitterOptions;

use super::HistoryOptions;

/// How an embedded store keeps its files and its history.
#[derive(Clone, Debug)]
pub struct Options {
    /// The logs below, of records and of blobs. Damaged records are always refused, damaged blobs never, and records of
    /// 16 MiB always accepted, whatever this says.
    pub log: guildhall_log::Options,
    /// The threads that commit, the one for records and the one for blobs.
    pub committer: CommitterOptions,
    /// What is kept for watchers that resume.
    pub history: HistoryOptions,
    /// A checkpoint is written after so many bytes of log, or as many as the last checkpoint has, if that is more, so
    /// that writing checkpoints costs at most as much as writing the log. It bounds what a start has to replay.
    /// Default 64 MiB.
    pub checkpoint_after: u64,
    /// How long a blob that no entry names is kept after it was put or last named. Default 1 hour.
    pub blob_grace: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            log: guildhall_log::Options::default(),
            committer: CommitterOptions {
                name: "store".to_owned(),
                ..CommitterOptions::default()
            },
            history: HistoryOptions::default(),
            checkpoint_after: 64 << 20,
            blob_grace: Duration::from_secs(3600),
        }
    }
}
