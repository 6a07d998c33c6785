//! The crate's only look at a clock; everything else takes the time as an argument or asks here.
//!
//! Monotonic time comes from tokio, so that a test that pauses the runtime's clock moves every
//! deadline of the control plane. Wall time is only written into documents, never waited on.
#![expect(
    clippy::disallowed_methods,
    reason = "shell: where the control plane reads its clocks"
)]

use std::time::{Instant, SystemTime};

use guildhall_core::document::Timestamp;
use guildhall_core::registry::health::Moment;

/// Monotonic time, as the runtime sees it.
pub(crate) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// Wall time, for what documents state in wall time.
pub(crate) fn wall() -> Timestamp {
    Timestamp::from_system(SystemTime::now())
}

/// One point in time on both clocks.
pub(crate) fn moment() -> Moment {
    Moment {
        monotonic: now(),
        wall: wall(),
    }
}
