//! Bounds of what is kept of a fleet.

use std::time::Duration;

use guildhall_core::policy::report::BELIEVED_FOR;

/// How much is kept of what a fleet reports, and for how long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FleetOptions {
    /// How long what a silent reporter told is shown. 30 s by default; reporters tell everything every ten.
    pub believed_for: Duration,
    /// How many reporters are listened to; more are refused. 10,000 by default.
    pub reporters: usize,
    /// How many breakers and limits are kept; more are refused. 100,000 by default.
    pub entries: usize,
    /// How many may wait for changes at once. 1,000 by default.
    pub waiting: usize,
}

impl Default for FleetOptions {
    fn default() -> Self {
        Self {
            believed_for: BELIEVED_FOR,
            reporters: 10_000,
            entries: 100_000,
            waiting: 1_000,
        }
    }
}
