//! The number of a record: contiguous, starting at one, never reused for another acknowledged record.

use std::fmt;

/// The number of a record in its log. The first record is 1; [`Sequence::NONE`] (0) stands before it.
///
/// Sequences are contiguous: after record `n` comes `n + 1`, across segments and restarts. A record whose commit failed
/// gives its number back.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Sequence(u64);

impl Sequence {
    /// Before the first record: what an empty log has made durable.
    pub const NONE: Self = Self(0);
    /// The first record of a log.
    pub const FIRST: Self = Self(1);

    /// The sequence with this number.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The record after this one.
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }

    /// The record before this one; [`Sequence::NONE`] has none before it and stays.
    pub const fn previous(self) -> Self {
        Self(self.0.saturating_sub(1))
    }

    /// The sequence `count` records further on.
    pub const fn plus(self, count: u64) -> Self {
        Self(self.0 + count)
    }
}

impl From<u64> for Sequence {
    fn from(number: u64) -> Self {
        Self(number)
    }
}

impl fmt::Display for Sequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
