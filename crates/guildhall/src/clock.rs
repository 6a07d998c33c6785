//! The SDK's clocks, read here and passed on: the monotonic one by which calls are timed and judged, and the date, for
//! what documents and headers state in wall time.
#![expect(
    clippy::disallowed_methods,
    reason = "shell: requests and calls are timed here"
)]

use std::time::{Instant, SystemTime};

/// The time, to be handed to whatever takes `now`. It is tokio's, as that of the resilience layers is, so that a test
/// can pause both.
pub(crate) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// The date and time; it may jump.
pub(crate) fn wall() -> SystemTime {
    SystemTime::now()
}
