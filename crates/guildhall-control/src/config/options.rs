//! The bounds of configuration, and what seals its values.

use super::SealKeys;

/// The bounds of configuration, and what seals its values.
#[derive(Clone, Debug)]
pub struct ConfigOptions {
    /// How many bytes of contents are kept in memory, and again as many of what they come to; 64 MiB by default.
    pub cache: u64,
    /// How many listeners are known at most, over all files; 100,000 by default.
    pub listeners: usize,
    /// How many drafts a file has at most; 16 by default.
    pub drafts: usize,
    /// The keys that values are sealed with; without them none is.
    pub seal_keys: SealKeys,
}

impl Default for ConfigOptions {
    fn default() -> Self {
        Self {
            cache: 64 << 20,
            listeners: 100_000,
            drafts: 16,
            seal_keys: SealKeys::default(),
        }
    }
}
