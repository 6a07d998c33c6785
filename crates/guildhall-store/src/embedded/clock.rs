//! The one place where the embedded engine reads a clock.
#![expect(
    clippy::disallowed_methods,
    reason = "shell: the threads of the engine start here and pass the time on"
)]

use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// The monotonic time.
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Milliseconds since 1970, for incarnations only.
pub(crate) fn unix_millis() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
