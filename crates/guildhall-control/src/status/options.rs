//! How transitions are written.

use std::time::Duration;

/// How transitions are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusOptions {
    /// How long to wait before transitions that could not be written are tried again; half a
    /// second by default.
    pub retry: Duration,
    /// How many transitions of one instance may wait to be written; the oldest of more are left
    /// out of its timeline. 50 by default, and never more than 60, as they are written at once.
    pub waiting: usize,
}

impl Default for StatusOptions {
    fn default() -> Self {
        Self {
            retry: Duration::from_millis(500),
            waiting: 50,
        }
    }
}
