//! What a window counts, and the rules that judge it.

use super::config::{Config, Share, Window};
use super::state::Reason;
use crate::origin::nanos;
use crate::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

/// One call, as a window counts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Call {
    pub(super) failed: bool,
    pub(super) slow: bool,
}

impl Call {
    /// Whether it speaks against the service.
    pub(super) const fn is_bad(self) -> bool {
        self.failed || self.slow
    }
}

/// What stands in a window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// All calls that count: successes and failures.
    pub total: u64,
    /// Those that failed.
    pub failed: u64,
    /// Those that were slow, whether they failed or not.
    pub slow: u64,
}

impl Counts {
    /// The share of failures, 0 to 1; `None` of no calls.
    pub fn failure_rate(&self) -> Option<f64> {
        (self.total > 0).then(|| self.failed as f64 / self.total as f64)
    }
}

/// The part of the settings that every call looks at, changeable while calls pass. Fields are read one by one: a call
/// may see some of a change and not yet the rest.
pub(super) struct Rules {
    /// 1 for a count window.
    counts_calls: AtomicU32,
    minimum_volume: AtomicU32,
    /// Parts per million; 0 for never, as below.
    failure_rate: AtomicU32,
    failure_count: AtomicU32,
    consecutive_failures: AtomicU32,
    slow_rate: AtomicU32,
    /// In nanoseconds; the highest for never.
    slow_after: AtomicU64,
    /// `probes << 8 | failures`.
    probes: AtomicU32,
}

impl Rules {
    pub(super) fn new(config: &Config) -> Self {
        let rules = Self {
            counts_calls: AtomicU32::new(0),
            minimum_volume: AtomicU32::new(0),
            failure_rate: AtomicU32::new(0),
            failure_count: AtomicU32::new(0),
            consecutive_failures: AtomicU32::new(0),
            slow_rate: AtomicU32::new(0),
            slow_after: AtomicU64::new(0),
            probes: AtomicU32::new(0),
        };
        rules.set(config);
        rules
    }

    pub(super) fn set(&self, config: &Config) {
        let counts_calls = matches!(config.window, Window::Count { .. });
        let parts = |share: Option<Share>| share.map_or(0, |share| share.0);
        let slow_after = config.slow_calls.map_or(u64::MAX, |slow| nanos(slow.after));
        let probes = u32::from(config.probes) << 8 | u32::from(config.probe_failures);
        self.counts_calls.store(counts_calls.into(), Relaxed);
        self.minimum_volume.store(config.minimum_volume, Relaxed);
        self.failure_rate.store(parts(config.failure_rate), Relaxed);
        self.failure_count
            .store(config.failure_count.unwrap_or(0), Relaxed);
        self.consecutive_failures
            .store(config.consecutive_failures.unwrap_or(0), Relaxed);
        self.slow_rate
            .store(parts(config.slow_calls.map(|slow| slow.rate)), Relaxed);
        self.slow_after.store(slow_after, Relaxed);
        self.probes.store(probes, Relaxed);
    }

    #[inline]
    pub(super) fn counts_calls(&self) -> bool {
        self.counts_calls.load(Relaxed) == 1
    }

    /// Whether it matters how long a call takes.
    #[inline]
    pub(super) fn times_calls(&self) -> bool {
        self.slow_after.load(Relaxed) != u64::MAX
    }

    /// Whether a call that took so many nanoseconds is slow.
    #[inline]
    pub(super) fn is_slow(&self, took: u64) -> bool {
        let after = self.slow_after.load(Relaxed);
        after != u64::MAX && took >= after
    }

    /// How many consecutive failures open it, if any.
    #[inline]
    pub(super) fn consecutive_failures(&self) -> Option<u32> {
        Some(self.consecutive_failures.load(Relaxed)).filter(|failures| *failures > 0)
    }

    /// How many probes there are, and how many failures reopen.
    pub(super) fn probes(&self) -> (u8, u8) {
        let probes = self.probes.load(Relaxed);
        ((probes >> 8) as u8, probes as u8)
    }

    pub(super) fn has_volume(&self, counts: Counts) -> bool {
        counts.total >= u64::from(self.minimum_volume.load(Relaxed))
    }

    /// Why the window opens the breaker, if it does.
    pub(super) fn judge(&self, counts: Counts) -> Option<Reason> {
        let Counts {
            total,
            failed,
            slow,
        } = counts;
        let count = u64::from(self.failure_count.load(Relaxed));
        if count > 0 && failed >= count {
            return Some(Reason::FailureCount { failed });
        }
        if !self.has_volume(counts) {
            return None;
        }
        let reached = |rate: &AtomicU32, part: u64| {
            let rate = u64::from(rate.load(Relaxed));
            rate > 0 && part * u64::from(Share::WHOLE) >= rate * total
        };
        if reached(&self.failure_rate, failed) {
            return Some(Reason::FailureRate { failed, total });
        }
        reached(&self.slow_rate, slow).then_some(Reason::SlowCalls { slow, total })
    }
}

/// Failures without a success between them: `generation: 32 | failures: 32`.
pub(super) struct Streak(AtomicU64);

impl Streak {
    pub(super) fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Begins anew for this generation.
    pub(super) fn begin(&self, generation: u64) {
        self.0.store(generation << 32, Relaxed);
    }

    /// How many failures there are after this call of this generation.
    pub(super) fn record(&self, generation: u64, failed: bool) -> u32 {
        let mut old = self.0.load(Relaxed);
        loop {
            let failures = old as u32;
            if old >> 32 != generation & 0xffff_ffff || !failed && failures == 0 {
                return 0;
            }
            let failures = if failed {
                failures.saturating_add(1)
            } else {
                0
            };
            let new = generation << 32 | u64::from(failures);
            match self.0.compare_exchange_weak(old, new, Relaxed, Relaxed) {
                Ok(_) => return failures,
                Err(now) => old = now,
            }
        }
    }
}
