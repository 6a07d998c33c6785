//! What requests of a window showed, added up by atomics.

use std::time::Duration;

use crate::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Bits of the count; the sum of latencies stands above it, in units of 64 ns.
const COUNT_BITS: u32 = 20;
const COUNT: u64 = (1 << COUNT_BITS) - 1;
const UNIT_BITS: u32 = 6;
/// Longer latencies count as this, so that the sum of a full count stays within its bits.
const LONGEST: u64 = 60_000_000_000;
/// A window that is as full is closed whatever the time: the count must not run over, nor with it requests that end
/// while it is being closed.
pub(super) const FULL: u32 = 1 << (COUNT_BITS - 1);

/// What a window showed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// The average latency of the requests that succeeded; `None` if none did.
    pub latency: Option<Duration>,
    /// How many requests succeeded.
    pub successes: u32,
    /// The most requests that were under way when one began.
    pub in_flight: u32,
    /// Whether enough of the requests failed for overload.
    pub overloaded: bool,
}

/// The running window.
#[derive(Debug, Default)]
pub(super) struct Window {
    /// Sum and count of latencies in one word, so that the average is of the requests that are counted.
    latencies: AtomicU64,
    failures: AtomicU64,
    most: AtomicU64,
}

/// A closed window's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Totals {
    pub(super) latency: Option<Duration>,
    pub(super) successes: u32,
    pub(super) failures: u32,
    pub(super) in_flight: u32,
}

impl Window {
    pub(super) fn new() -> Self {
        Self {
            latencies: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            most: AtomicU64::new(0),
        }
    }

    /// A request succeeded. Returns how many have ended in this window.
    pub(super) fn success(&self, latency: u64, in_flight: u32) -> u32 {
        self.began(in_flight);
        let add = (latency.min(LONGEST) >> UNIT_BITS) << COUNT_BITS | 1;
        let before = self.latencies.fetch_add(add, Relaxed);
        (before & COUNT) as u32 + 1 + self.failures.load(Relaxed) as u32
    }

    /// A request failed. Returns how many have ended in this window.
    pub(super) fn failure(&self, in_flight: u32) -> u32 {
        self.began(in_flight);
        let before = self.failures.fetch_add(1, Relaxed);
        before as u32 + 1 + (self.latencies.load(Relaxed) & COUNT) as u32
    }

    fn began(&self, in_flight: u32) {
        let in_flight = u64::from(in_flight);
        // A load first: most requests do not raise it, and a load leaves the line shared.
        if self.most.load(Relaxed) < in_flight {
            self.most.fetch_max(in_flight, Relaxed);
        }
    }

    /// Takes the numbers out; each request is counted in one window, this or the next.
    pub(super) fn close(&self) -> Totals {
        let latencies = self.latencies.swap(0, Relaxed);
        let (count, sum) = (latencies & COUNT, latencies >> COUNT_BITS);
        Totals {
            latency: (count > 0).then(|| Duration::from_nanos((sum << UNIT_BITS) / count)),
            successes: count as u32,
            failures: self.failures.swap(0, Relaxed) as u32,
            in_flight: self.most.swap(0, Relaxed) as u32,
        }
    }
}

impl Totals {
    pub(super) fn sample(&self, overload_share: f64) -> Sample {
        let all = f64::from(self.successes) + f64::from(self.failures);
        Sample {
            latency: self.latency,
            successes: self.successes,
            in_flight: self.in_flight,
            overloaded: self.failures > 0 && f64::from(self.failures) >= all * overload_share,
        }
    }
}
