//! Bounds of what is kept of a fleet.

use std::time::Duration;

use guildhall_core::policy::report::BELIEVED_FOR;

/// How long after its start a control plane gives nothing out of limits that many hold to: whoever holds a part reports it
/// within three seconds, wherever it learns a second later that everything is to be told, and tells that a second later.
const SETTLES_IN: Duration = Duration::from_secs(6);

/// How much is kept of what a fleet reports, and for how long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FleetOptions {
    /// How long what a silent reporter told is shown, and its parts of limits are its own. 30 s by default; reporters tell
    /// everything every ten. One with parts is believed for ten seconds at least.
    pub believed_for: Duration,
    /// How long after the start nobody is given more of a limit than what it has, as those whom a predecessor told their
    /// parts may not have reported yet. 6 s by default.
    pub settles_in: Duration,
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
            settles_in: SETTLES_IN,
            reporters: 10_000,
            entries: 100_000,
            waiting: 1_000,
        }
    }
}
