//! The one word that says what state a breaker is in: state, probes and generation, changed together or not at all.

use super::state::State;

/// `generation: 37 | failed: 8 | succeeded: 8 | under way: 8 | state: 3`, from the highest bit down.
///
/// The generation is one more with every transition (and every round of probes), so that a call that was admitted before
/// is told from one of the present. At a transition each microsecond it would wrap after a day and a half, and then only
/// a call that is as old as that could be mistaken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Word(pub(super) u64);

const STATE: u32 = 3;
const UNDER_WAY: u32 = STATE;
const SUCCEEDED: u32 = UNDER_WAY + 8;
const FAILED: u32 = SUCCEEDED + 8;
const GENERATION: u32 = FAILED + 8;

impl Word {
    pub(super) const fn new(state: State, generation: u64) -> Self {
        Self(generation << GENERATION | state as u64)
    }

    #[inline]
    pub(super) const fn is_closed(self) -> bool {
        self.0 & ((1 << STATE) - 1) == State::Closed as u64
    }

    #[inline]
    pub(super) const fn is_half_open(self) -> bool {
        self.0 & ((1 << STATE) - 1) == State::HalfOpen as u64
    }

    #[inline]
    pub(super) const fn state(self) -> State {
        match self.0 & ((1 << STATE) - 1) {
            0 => State::Closed,
            1 => State::Open,
            2 => State::HalfOpen,
            3 => State::ForcedOpen,
            4 => State::Disabled,
            _ => State::MetricsOnly,
        }
    }

    #[inline]
    pub(super) const fn generation(self) -> u64 {
        self.0 >> GENERATION
    }

    /// As a permit keeps it: the probes do not matter, and in their place stands whether
    /// the admission began this generation.
    pub(super) const fn as_pass(self, began: bool) -> Self {
        Self(Self::new(self.state(), self.generation()).0 | (began as u64) << UNDER_WAY)
    }

    /// Whether the admission that this pass is of began its generation.
    pub(super) const fn began(self) -> bool {
        self.under_way() == 1
    }

    /// What the next word's generation is.
    pub(super) const fn next_generation(self) -> u64 {
        (self.generation() + 1) & (u64::MAX >> GENERATION)
    }

    pub(super) const fn under_way(self) -> u8 {
        (self.0 >> UNDER_WAY) as u8
    }

    pub(super) const fn succeeded(self) -> u8 {
        (self.0 >> SUCCEEDED) as u8
    }

    pub(super) const fn failed(self) -> u8 {
        (self.0 >> FAILED) as u8
    }

    /// With one more probe under way, if fewer than `probes` are under way or over.
    pub(super) fn probing(self, probes: u8) -> Option<Self> {
        let taken =
            u16::from(self.under_way()) + u16::from(self.succeeded()) + u16::from(self.failed());
        (taken < u16::from(probes)).then_some(Self(self.0 + (1 << UNDER_WAY)))
    }

    /// With one probe less under way, and that one counted as what it came to; `None` if it came to nothing.
    pub(super) const fn probed(self, succeeded: Option<bool>) -> Self {
        let counted = match succeeded {
            Some(true) => 1 << SUCCEEDED,
            Some(false) => 1 << FAILED,
            None => 0,
        };
        Self(self.0 - (1 << UNDER_WAY) + counted)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn every_state_comes_back_with_its_generation() {
        let last = u64::MAX >> GENERATION;
        for state in State::ALL {
            for generation in [0, 1, last] {
                let word = Word::new(state, generation);
                assert_eq!((word.state(), word.generation()), (state, generation));
                assert_eq!(word.is_closed(), state == State::Closed);
            }
        }
        assert_eq!(Word::new(State::Open, last).next_generation(), 0);
    }

    #[test]
    fn probes_are_counted_beside_the_rest() {
        let word = Word::new(State::HalfOpen, 7);
        let two = word.probing(2).and_then(|word| word.probing(2)).unwrap();
        assert_eq!(two.probing(2), None);
        let over = two.probed(Some(true)).probed(Some(false));
        assert_eq!(
            (over.under_way(), over.succeeded(), over.failed()),
            (0, 1, 1)
        );
        assert_eq!((over.state(), over.generation()), (State::HalfOpen, 7));
        assert_eq!(
            over.probing(2),
            None,
            "a probe that is over is not given again"
        );
        assert_eq!(two.probed(None).probed(None), word);
    }
}
