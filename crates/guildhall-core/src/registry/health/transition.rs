//! What goes into a check's machine and what comes out.

use std::time::Instant;

use crate::{document::Timestamp, registry::CheckState};

/// One point in time on both clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Decides: deadlines count on it.
    pub monotonic: Instant,
    /// Is only shown: `since` and `at` in documents.
    pub wall: Timestamp,
}

/// What one run of a check, or one report of an instance about itself, says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CheckOutcome {
    /// All is well.
    Passing,
    /// Well enough to be used.
    Warning,
    /// Not to be used.
    Critical,
}

impl CheckOutcome {
    /// Every outcome.
    pub const ALL: [Self; 3] = [Self::Passing, Self::Warning, Self::Critical];

    /// The state it speaks for.
    pub fn state(self) -> CheckState {
        match self {
            Self::Passing => CheckState::Passing,
            Self::Warning => CheckState::Warning,
            Self::Critical => CheckState::Critical,
        }
    }

    /// The outcome that speaks for `state`; `None` for `starting`, which no check ever says.
    pub fn of(state: CheckState) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|outcome| outcome.state() == state)
    }
}

/// A check changed its mind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transition {
    /// What it said before.
    pub from: CheckState,
    /// What it says now.
    pub to: CheckState,
    /// The check's name.
    pub check: std::sync::Arc<str>,
    /// What it printed, at most [`MAX_OUTPUT`] bytes.
    pub output: String,
    /// When.
    pub at: Timestamp,
}

/// The most bytes of a check's output that are kept.
pub const MAX_OUTPUT: usize = 4096;

/// The first [`MAX_OUTPUT`] bytes of `output`, or up to three fewer where a character would be
/// cut.
pub fn clip(output: &str) -> &str {
    &output[..output.floor_char_boundary(MAX_OUTPUT)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_is_cut_between_characters() {
        assert_eq!(clip("short"), "short");
        assert_eq!(clip(&"a".repeat(5000)).len(), 4096);
        assert_eq!(clip(&"€".repeat(2000)).len(), 4095);
        let text = format!("{}🦀", "a".repeat(4093));
        assert_eq!(clip(&text).len(), 4093);
    }
}
