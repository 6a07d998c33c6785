//! Bounds of lists and writes.

use std::time::Duration;

/// How lists and writes are bounded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DocumentOptions {
    /// The most documents in one page of a list; 5,000 by default.
    pub page: usize,
    /// How many past states are kept for the lists that are being read page by page; 32 by
    /// default.
    pub kept_states: usize,
    /// How long such a state is kept after its last use; a minute by default.
    pub kept_for: Duration,
    /// How often a write is tried again when others change the same document; 16 by default.
    pub attempts: u32,
}

impl Default for DocumentOptions {
    fn default() -> Self {
        Self {
            page: 5_000,
            kept_states: 32,
            kept_for: Duration::from_secs(60),
            attempts: 16,
        }
    }
}
