//! The one place where this crate reads a clock: to time syncs and to pace the zeroing of spares.
#![expect(
    clippy::disallowed_methods,
    reason = "shell: the duration of a sync is measured, not decided"
)]

use std::time::Instant;

/// The monotonic time now.
pub(crate) fn now() -> Instant {
    Instant::now()
}
