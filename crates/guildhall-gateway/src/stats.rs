//! Counters: one set per worker, written by it alone, read by whoever asks.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use guildhall_core::route::Reason;
use serde::Serialize;

/// A number that one thread writes: a plain load and store, no locked instruction.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, n: u64) {
        self.0.store(self.0.load(Relaxed).wrapping_add(n), Relaxed);
    }

    pub(crate) fn subtract(&self, n: u64) {
        self.0.store(self.0.load(Relaxed).wrapping_sub(n), Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// What one worker counted. Aligned so that no two workers write to one cache line.
#[derive(Debug)]
#[repr(align(128))]
pub(crate) struct WorkerStats {
    pub(crate) connections: Counter,
    pub(crate) connections_accepted: Counter,
    pub(crate) connections_refused: Counter,
    pub(crate) connections_timed_out: Counter,
    pub(crate) requests_running: Counter,
    pub(crate) requests: Counter,
    pub(crate) classes: [Counter; 6],
    pub(crate) reasons: [Counter; Reason::ALL.len()],
    pub(crate) tunnels: Counter,
    pub(crate) upstream_connections: Counter,
    pub(crate) upstream_connects: Counter,
    pub(crate) replays: Counter,
    pub(crate) log_lines_dropped: Counter,
}

impl Default for WorkerStats {
    fn default() -> Self {
        Self {
            connections: Counter::default(),
            connections_accepted: Counter::default(),
            connections_refused: Counter::default(),
            connections_timed_out: Counter::default(),
            requests_running: Counter::default(),
            requests: Counter::default(),
            classes: Default::default(),
            reasons: std::array::from_fn(|_| Counter::default()),
            tunnels: Counter::default(),
            upstream_connections: Counter::default(),
            upstream_connects: Counter::default(),
            replays: Counter::default(),
            log_lines_dropped: Counter::default(),
        }
    }
}

/// What all workers counted since the start; gauges are at present.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Traffic {
    /// Client connections open.
    pub connections: u64,
    /// Client connections accepted.
    pub connections_accepted: u64,
    /// Client connections closed at once because there were too many.
    pub connections_refused: u64,
    /// Client connections closed because they were idle or slow.
    pub connections_timed_out: u64,
    /// Requests under way.
    pub requests_running: u64,
    /// Requests answered.
    pub requests: u64,
    /// Of those, by the first digit of the status; the first number is for none.
    pub classes: [u64; 6],
    /// Of those, by reason: every reason that occurred, by its code.
    pub reasons: BTreeMap<&'static str, u64>,
    /// Tunnels open.
    pub tunnels: u64,
    /// Connections to backends open, idle ones included.
    pub upstream_connections: u64,
    /// Connections to backends made.
    pub upstream_connects: u64,
    /// Requests sent again, because the connection or the endpoint was gone.
    pub replays: u64,
    /// Lines of the access log that were dropped because its writer was behind.
    pub log_lines_dropped: u64,
}

impl Traffic {
    pub(crate) fn sum<'a>(workers: impl IntoIterator<Item = &'a WorkerStats>) -> Self {
        let mut sum = Self::default();
        let mut reasons = [0; Reason::ALL.len()];
        for stats in workers {
            sum.connections += stats.connections.get();
            sum.connections_accepted += stats.connections_accepted.get();
            sum.connections_refused += stats.connections_refused.get();
            sum.connections_timed_out += stats.connections_timed_out.get();
            sum.requests_running += stats.requests_running.get();
            sum.requests += stats.requests.get();
            sum.tunnels += stats.tunnels.get();
            sum.upstream_connections += stats.upstream_connections.get();
            sum.upstream_connects += stats.upstream_connects.get();
            sum.replays += stats.replays.get();
            sum.log_lines_dropped += stats.log_lines_dropped.get();
            for (total, counter) in sum.classes.iter_mut().zip(&stats.classes) {
                *total += counter.get();
            }
            for (total, counter) in reasons.iter_mut().zip(&stats.reasons) {
                *total += counter.get();
            }
        }
        let occurred = Reason::ALL.iter().zip(reasons).filter(|(_, n)| *n > 0);
        sum.reasons = occurred.map(|(reason, n)| (reason.code(), n)).collect();
        sum
    }
}
