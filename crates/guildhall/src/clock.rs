//! The SDK's clock: durations of requests, ages of answers. Nothing is decided by wall time.
#![expect(
    clippy::disallowed_methods,
    reason = "shell: the durations of requests are measured here"
)]

use std::time::Instant;

/// The time, to be handed to whatever takes `now`.
pub(crate) fn now() -> Instant {
    Instant::now()
}
