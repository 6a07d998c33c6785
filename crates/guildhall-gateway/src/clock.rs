//! The gateway's clocks: everything else takes `now` from here.
#![expect(
    clippy::disallowed_methods,
    reason = "shell: the one file of the gateway that reads clocks"
)]

use std::{
    cell::Cell,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use guildhall_core::document::Timestamp;

/// Monotonic time for durations and deadlines.
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Wall time, for what documents state in it.
pub(crate) fn wall() -> Timestamp {
    Timestamp::from_system(SystemTime::now())
}

/// Wall time for dates in headers.
pub(crate) fn system() -> SystemTime {
    SystemTime::now()
}

/// Wall time for logs, told from the monotonic clock: one clock is read per request, not two.
#[derive(Debug)]
pub(crate) struct WallClock {
    /// What the two clocks said together.
    anchor: Cell<(Instant, Duration)>,
}

impl WallClock {
    pub(crate) fn new() -> Self {
        Self {
            anchor: Cell::new(Self::read()),
        }
    }

    /// Reads both clocks again, so that a wall clock that was set is followed.
    pub(crate) fn adjust(&self) {
        self.anchor.set(Self::read());
    }

    fn read() -> (Instant, Duration) {
        (
            Instant::now(),
            SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .unwrap_or_default(),
        )
    }

    /// Milliseconds since the Unix epoch at `instant`.
    pub(crate) fn millis(&self, instant: Instant) -> u64 {
        let (anchor, wall) = self.anchor.get();
        let at = match instant.checked_duration_since(anchor) {
            Some(later) => wall + later,
            None => wall.saturating_sub(anchor.saturating_duration_since(instant)),
        };
        u64::try_from(at.as_millis()).unwrap_or(u64::MAX)
    }
}
