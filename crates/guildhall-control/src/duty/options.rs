//! Who this process is, and how long its duties outlive it.

use std::time::Duration;

/// Who this process is, and how long its duties outlive it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DutyOptions {
    /// This process among those that share the store; a restart under the same name takes its
    /// duties up again at once. `local` by default.
    pub replica: String,
    /// For how long nobody else takes over when it no longer answers; 15 s by default.
    pub ttl: Duration,
}

impl Default for DutyOptions {
    fn default() -> Self {
        Self {
            replica: "local".to_owned(),
            ttl: Duration::from_secs(15),
        }
    }
}
