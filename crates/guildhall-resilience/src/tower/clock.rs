//! The one clock of the layers: tokio's, so that tests can pause it.
#![expect(
    clippy::disallowed_methods,
    reason = "shell: layers read the clock once a call and pass it on"
)]

use std::time::{Instant, SystemTime};

/// The present, on a clock that only goes forward.
pub(crate) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// The date and time, for headers that name a date; it may jump.
pub(crate) fn wall() -> SystemTime {
    SystemTime::now()
}
