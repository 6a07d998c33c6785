//! Virtual time: nanoseconds since the run began, and the instants that the real state machines want.
//!
//! No clock is read here: differences alone count, so that a run is the same whatever its origin.

use std::time::{Duration, Instant};

/// Nanoseconds since the run began.
pub(crate) type Nanos = u64;

pub(crate) const MILLISECOND: Nanos = 1_000_000;
pub(crate) const SECOND: Nanos = 1_000_000_000;

/// The instants of a run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timeline {
    origin: Instant,
}

impl Timeline {
    /// Begins at `origin`, whichever it is.
    pub(crate) fn new(origin: Instant) -> Self {
        Self { origin }
    }

    pub(crate) fn at(self, time: Nanos) -> Instant {
        self.origin + Duration::from_nanos(time)
    }
}

pub(crate) fn seconds(time: Nanos) -> f64 {
    time as f64 / SECOND as f64
}
