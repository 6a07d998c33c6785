//! What a call holds while it is under way, and what one gets that may not begin.

use std::ops::Deref;
use std::time::{Duration, Instant};

use super::machine::Breaker;
use super::state::{State, Transition};
use super::word::Word;
use crate::origin::nanos;
use crate::{Outcome, Pattern, Rejection};

/// Leave for one call. Tell it how the call ended with [`Permit::record`]; a permit that is dropped instead (the call was
/// cancelled, or refused further down) gives back its probe, if it is one, and counts nowhere.
///
/// It remembers the generation that admitted it, so that a call that ends after the state has changed decides nothing.
#[derive(Debug)]
#[must_use = "a permit that is dropped counts nowhere"]
pub struct Permit<B: Deref<Target = Breaker>> {
    breaker: B,
    pass: Pass,
}

/// What a permit remembers of its admission: two words, which a call passes in registers. With an [`Instant`] and the
/// transition in it a call took half as long again, waiting for memory it had just written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pass {
    pub(super) word: Word,
    /// In nanoseconds since the breaker was made; [`Pass::UNTIMED`] where nothing depends on it.
    pub(super) admitted: u64,
}

impl Pass {
    pub(super) const UNTIMED: u64 = u64::MAX;
}

impl<B: Deref<Target = Breaker>> Permit<B> {
    #[inline]
    pub(super) fn new(breaker: B, pass: Pass) -> Self {
        Self { breaker, pass }
    }

    /// Whether the call is a probe of a half-open breaker.
    pub fn is_probe(&self) -> bool {
        self.pass.word.is_half_open()
    }

    /// The change of state that admitting the call brought about: the open time was over, or a force expired. `None`
    /// also if the state has changed again since.
    pub fn transition(&self) -> Option<Transition> {
        self.breaker.transition_to(self.pass)
    }

    /// The call is over. How long it took is the time from its admission to `now`.
    ///
    /// Returns the change of state this brought about, if any, for the caller to report.
    #[inline(always)]
    pub fn record(mut self, outcome: Outcome, now: Instant) -> Option<Transition> {
        let pass = self.pass;
        // Nothing is left to give back.
        self.pass.word = Word::new(State::Closed, 0);
        self.breaker
            .complete(pass.word, pass.admitted, outcome, now)
    }

    /// The same for a call that took `took` of the time since its admission, where not all of that is the service's:
    /// a stream lasts as long as both sides like, and is slow only if it was slow to begin.
    pub fn record_took(
        mut self,
        outcome: Outcome,
        took: Duration,
        now: Instant,
    ) -> Option<Transition> {
        let pass = self.pass;
        self.pass.word = Word::new(State::Closed, 0);
        let admitted = match pass.admitted {
            Pass::UNTIMED => Pass::UNTIMED,
            _ => self.breaker.since_origin(now).saturating_sub(nanos(took)),
        };
        self.breaker.complete(pass.word, admitted, outcome, now)
    }
}

impl<B: Deref<Target = Breaker>> Drop for Permit<B> {
    #[inline]
    fn drop(&mut self) {
        if self.pass.word.is_half_open() {
            self.breaker.give_back(self.pass.word.generation());
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
