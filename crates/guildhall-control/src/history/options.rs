//! How much of the past is kept.

/// The bounds of documents' histories.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryOptions {
    /// How many versions of each document are kept beside those with a tag; 100 by default, two at least.
    pub keep: u32,
}

impl HistoryOptions {
    /// The fewest versions that are kept: the live one and what it replaced. One write adds no more.
    pub const LEAST: u32 = 2;
}

impl Default for HistoryOptions {
    fn default() -> Self {
        Self { keep: 100 }
    }
}
