//! The shop's one clock: when something was created.
#![expect(
    clippy::disallowed_methods,
    reason = "shell: the shop stamps what it creates"
)]

use std::time::SystemTime;

/// The present time as RFC 3339 in UTC, with milliseconds.
pub(crate) fn timestamp() -> String {
    let now = jiff::Timestamp::try_from(SystemTime::now()).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    format!("{now:.3}")
}
