//! Bounds of the watches.

/// How much is kept for watchers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchOptions {
    /// How many events may wait for one subscriber; one more and it is told to resynchronise.
    /// 1,024 by default.
    pub queue: usize,
    /// How many past changes are kept, so that a watcher that was briefly away resumes instead of
    /// reading everything again. 8,192 by default.
    pub history: usize,
    /// How many subscriptions and long polls there may be at once. 200,000 by default.
    pub watchers: usize,
}

impl Default for WatchOptions {
    fn default() -> Self {
        Self {
            queue: 1_024,
            history: 8_192,
            watchers: 200_000,
        }
    }
}
