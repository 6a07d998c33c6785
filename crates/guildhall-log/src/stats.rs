//! Counters of a log: plain atomics that whoever exports metrics reads.

use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    time::Duration,
};

/// What a log has done since it was opened. All counters only grow, except `segments`.
#[derive(Debug, Default)]
pub struct Stats {
    pub(crate) commits: AtomicU64,
    pub(crate) records: AtomicU64,
    pub(crate) bytes: AtomicU64,
    pub(crate) failed_commits: AtomicU64,
    pub(crate) sync_nanos: AtomicU64,
    pub(crate) sync_max_nanos: AtomicU64,
    pub(crate) segments: AtomicU64,
    pub(crate) rotations: AtomicU64,
    pub(crate) recycled: AtomicU64,
    pub(crate) dropped_segments: AtomicU64,
    pub(crate) quarantined: AtomicU64,
    pub(crate) read_only: AtomicBool,
}

/// The counters at one moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct StatsSnapshot {
    /// Groups made durable: one write and one fdatasync each.
    pub commits: u64,
    /// Records made durable.
    pub records: u64,
    /// Bytes of frames written, headers and padding included.
    pub bytes: u64,
    /// Commits that failed, whatever the reason.
    pub failed_commits: u64,
    /// Time spent in the fdatasync of commits, in total; the mean is this over `commits`.
    pub sync_time: Duration,
    /// The longest fdatasync of a commit.
    pub sync_max: Duration,
    /// Segments kept now.
    pub segments: u64,
    /// Segments begun.
    pub rotations: u64,
    /// Segments begun on a pre-zeroed or recycled file.
    pub recycled: u64,
    /// Segments dropped.
    pub dropped_segments: u64,
    /// Damaged ranges that were set aside ([`crate::OnDamage::Quarantine`]).
    pub quarantined: u64,
    /// A sync failed: every commit is refused until the log is reopened.
    pub read_only: bool,
}

impl Stats {
    /// Reads the counters; each is exact, together they may be torn by a commit in between.
    pub fn snapshot(&self) -> StatsSnapshot {
        StatsSnapshot {
            commits: self.commits.load(Relaxed),
            records: self.records.load(Relaxed),
            bytes: self.bytes.load(Relaxed),
            failed_commits: self.failed_commits.load(Relaxed),
            sync_time: Duration::from_nanos(self.sync_nanos.load(Relaxed)),
            sync_max: Duration::from_nanos(self.sync_max_nanos.load(Relaxed)),
            segments: self.segments.load(Relaxed),
            rotations: self.rotations.load(Relaxed),
            recycled: self.recycled.load(Relaxed),
            dropped_segments: self.dropped_segments.load(Relaxed),
            quarantined: self.quarantined.load(Relaxed),
            read_only: self.read_only.load(Relaxed),
        }
    }

    pub(crate) fn committed(&self, records: u64, bytes: u64, sync: Duration) {
        let nanos = u64::try_from(sync.as_nanos()).unwrap_or(u64::MAX);
        self.commits.fetch_add(1, Relaxed);
        self.records.fetch_add(records, Relaxed);
        self.bytes.fetch_add(bytes, Relaxed);
        self.sync_nanos.fetch_add(nanos, Relaxed);
        self.sync_max_nanos.fetch_max(nanos, Relaxed);
    }
}
