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
        // Cut off rather than saturated: that is one multiplication in 64 bits.
        now.saturating_duration_since(self.0).as_nanos() as u64
    }
}

/// A duration in nanoseconds, at most `u64::MAX`.
pub(crate) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
