//! Nanoseconds since a state machine was made: what atomics can hold of an `Instant`.

use std::time::{Duration, Instant};

/// The moment a state machine was made. Times before it count as it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin(Instant);

impl Origin {
    pub(crate) fn new(now: Instant) -> Self {
        Self(now)
    }

    /// Nanoseconds from the origin to `now`; enough for 584 years.
    #[inline]
    pub(crate) fn nanos(self, now: Instant) -> u64 {
        nanos(now.saturating_duration_since(self.0))
    }
}

/// A duration in nanoseconds, at most `u64::MAX`.
#[inline]
pub(crate) fn nanos(duration: Duration) -> u64 {
    // Cheaper than `as_nanos`, which goes through 128 bits.
    duration
        .as_secs()
        .saturating_mul(1_000_000_000)
        .saturating_add(u64::from(duration.subsec_nanos()))
}
