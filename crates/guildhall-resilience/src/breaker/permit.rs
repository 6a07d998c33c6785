//! What a call holds while it is under way, and what one gets that may not begin.

use std::ops::Deref;
use std::time::{Duration, Instant};

use super::machine::Breaker;
use super::state::{State, Transition};
use super::word::Word;
use crate::{Outcome, Pattern, Rejection};

/// Leave for one call. Tell it how the call ended with [`Permit::record`]; a permit that is dropped instead (the call was
/// cancelled, or refused further down) gives back its probe, if it is one, and counts nowhere.
///
/// It remembers the generation that admitted it, so that a call that ends after the state has changed decides nothing.
#[derive(Debug)]
#[must_use = "a permit that is dropped counts nowhere"]
pub struct Permit<B: Deref<Target = Breaker>> {
    breaker: B,
    generation: u64,
    /// Whether a probe has to be given back.
    probe: bool,
    admitted: Instant,
    transition: Option<Transition>,
}

impl<B: Deref<Target = Breaker>> Permit<B> {
    #[inline]
    pub(super) fn new(
        breaker: B,
        word: Word,
        admitted: Instant,
        transition: Option<Transition>,
    ) -> Self {
        Self {
            breaker,
            generation: word.generation(),
            probe: word.state() == State::HalfOpen,
            admitted,
            transition,
        }
    }

    /// Whether the call is a probe of a half-open breaker.
    pub fn is_probe(&self) -> bool {
        self.probe
    }

    /// The change of state that admitting the call brought about: the open time was over, or a force expired.
    pub fn transition(&self) -> Option<Transition> {
        self.transition
    }

    /// The call is over. How long it took is the time from its admission to `now`.
    ///
    /// Returns the change of state this brought about, if any, for the caller to report.
    #[inline]
    pub fn record(mut self, outcome: Outcome, now: Instant) -> Option<Transition> {
        let probe = std::mem::take(&mut self.probe);
        let admitted = self.admitted;
        let took = || now.saturating_duration_since(admitted);
        self.breaker
            .complete(self.generation, probe, outcome, took, now)
    }
}

impl<B: Deref<Target = Breaker>> Drop for Permit<B> {
    #[inline]
    fn drop(&mut self) {
        if self.probe {
            self.breaker.give_back(self.generation);
        }
    }
}

/// The call may not begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the circuit breaker is {state}{}", retry(.retry_after))]
pub struct Refusal {
    /// Why: `OPEN`, `FORCED_OPEN`, or `HALF_OPEN` with all its probes under way.
    pub state: State,
    /// When a next try may get through; `None` if that depends on probes, or on whoever forced it.
    pub retry_after: Option<Duration>,
    /// The change of state that asking brought about: a round of probes was overdue.
    pub transition: Option<Transition>,
}

fn retry(after: &Option<Duration>) -> String {
    after.map_or_else(String::new, |after| format!(": try again in {after:?}"))
}

impl From<Refusal> for Rejection {
    fn from(refusal: Refusal) -> Self {
        Self {
            by: Pattern::Breaker,
            retry_after: refusal.retry_after,
        }
    }
}
