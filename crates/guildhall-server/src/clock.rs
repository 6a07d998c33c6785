//! The one place in this crate that reads a clock (invariant 1); everything else takes `now`.
#![expect(
    clippy::disallowed_methods,
    reason = "shell: the server's edge measures requests and stamps snapshots"
)]

use std::time::{Instant, SystemTime};

/// Monotonic time, for what is measured.
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Wall time, for what is shown.
pub(crate) fn wall() -> SystemTime {
    SystemTime::now()
}
