//! Bounds of the checking.

use std::path::PathBuf;
use std::time::Duration;

/// How instances are checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckOptions {
    /// How many active checks run at once; 512 by default.
    pub concurrency: usize,
    /// Whether checks may reach link-local addresses (169.254.0.0/16, fe80::/10), where clouds
    /// keep their metadata services. Off by default.
    pub allow_link_local: bool,
    /// A PEM file of the authorities that checks over TLS trust, read when the first of them runs;
    /// the system's if absent.
    pub ca_file: Option<PathBuf>,
    /// The longest first wait of a check that has not answered yet; its interval if that is
    /// shorter. A second by default.
    pub first_within: Duration,
    /// How late the checker may be before it counts as lag that extends deadlines; 100 ms by
    /// default.
    pub tolerance: Duration,
    /// Seeds the jitter, for tests; otherwise it is random.
    pub seed: Option<u64>,
}

impl Default for CheckOptions {
    fn default() -> Self {
        Self {
            concurrency: 512,
            allow_link_local: false,
            ca_file: None,
            first_within: Duration::from_secs(1),
            tolerance: Duration::from_millis(100),
            seed: None,
        }
    }
}
