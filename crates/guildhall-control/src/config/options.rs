//! How much of configuration is kept in memory.

/// The bounds of configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigOptions {
    /// How many bytes of contents are kept in memory, and again as many of what they come to; 64 MiB by default.
    pub cache: u64,
    /// How many listeners are known at most, over all files; 100,000 by default.
    pub listeners: usize,
}

impl Default for ConfigOptions {
    fn default() -> Self {
        Self {
            cache: 64 << 20,
            listeners: 100_000,
        }
    }
}
