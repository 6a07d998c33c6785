//! The beginning of a call: admitted, as a probe or not, or refused.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Breaker, NEVER};
use crate::breaker::permit::{Pass, Permit, Refusal};
use crate::breaker::state::{State, Transition};
use crate::breaker::stripe::Total;
use crate::breaker::word::Word;
use crate::sync::atomic::Ordering::Acquire;

impl Breaker {
    /// Leave for one call, as long as the breaker is borrowed.
    ///
    /// # Errors
    /// The call may not begin; the refusal says why and, where time decides, when to come back.
    #[inline]
    pub fn acquire(&self, now: Instant) -> Result<Permit<&Self>, Refusal> {
        self.acquire_at(|| now)
    }

    /// The same with a clock that is read only if something depends on it: not by a closed breaker that does not look
    /// for slow calls. Reading a clock costs more than the breaker does.
    ///
    /// # Errors
    /// As [`Breaker::acquire`].
    #[inline]
    pub fn acquire_at(&self, clock: impl FnOnce() -> Instant) -> Result<Permit<&Self>, Refusal> {
        Ok(Permit::new(self, self.admit_at(clock)?))
    }

    /// Leave for one call, which keeps the breaker alive: for futures.
    ///
    /// # Errors
    /// As [`Breaker::acquire`].
    #[inline]
    pub fn acquire_owned(
        self: &Arc<Self>,
        clock: impl FnOnce() -> Instant,
    ) -> Result<Permit<Arc<Self>>, Refusal> {
        let pass = self.admit_at(clock)?;
        Ok(Permit::new(Arc::clone(self), pass))
    }

    #[inline]
    fn admit_at(&self, clock: impl FnOnce() -> Instant) -> Result<Pass, Refusal> {
        let word = self.word(Acquire);
        if !word.is_closed() {
            return self.admit(clock());
        }
        Ok(Pass {
            word,
            admitted: if self.rules.times_calls() {
                self.since_origin(clock())
            } else {
                Pass::UNTIMED
            },
        })
    }

    /// Admits or refuses in a state other than closed.
    #[cold]
    fn admit(&self, now: Instant) -> Result<Pass, Refusal> {
        let at = self.since_origin(now);
        let mut transition: Option<Transition> = None;
        let pass = |word: Word, transition: Option<Transition>| Pass {
            word: word.as_pass(transition.is_some()),
            admitted: at,
        };
        loop {
            let word = self.word(Acquire);
            let until = self.until.load(Acquire);
            if self.word(Acquire).generation() != word.generation() {
                // It may be of a later state than the word is.
                continue;
            }
            let state = word.state();
            if state != State::Closed && at >= until {
                transition = self.time_is_over(word, now).or(transition);
                continue;
            }
            let refused = match state {
                State::Closed | State::Disabled | State::MetricsOnly => {
                    return Ok(pass(word, transition));
                }
                State::Open | State::ForcedOpen => true,
                State::HalfOpen => match word.probing(self.rules.probes().0) {
                    None => true,
                    Some(probing) => {
                        if self.swap(word, probing) {
                            return Ok(pass(probing, transition));
                        }
                        false
                    }
                },
            };
            if refused {
                self.totals.add(Total::Rejected, 1);
                let by_time = state != State::HalfOpen && until != NEVER;
                return Err(Refusal {
                    state,
                    retry_after: by_time.then(|| Duration::from_nanos(until - at)),
                    transition,
                });
            }
        }
    }
}
