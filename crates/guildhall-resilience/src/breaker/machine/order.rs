//! What somebody orders: a state, its end, a fresh start, other settings.

use std::time::Instant;

use super::{Breaker, NEVER};
use crate::breaker::config::{Config, Window};
use crate::breaker::state::{Forced, Reason, State, Transition};
use crate::sync::atomic::Ordering::Relaxed;
use crate::sync::lock;

impl Breaker {
    /// Orders a state, until it expires, is [released](Breaker::release) or [reset](Breaker::reset). Ordering the
    /// present state again changes when it expires and nothing else.
    pub fn force(
        &self,
        forced: Forced,
        until: Option<Instant>,
        now: Instant,
    ) -> Option<Transition> {
        let until = until.map_or(NEVER, |until| self.since_origin(until));
        let mut cold = lock(&self.cold);
        let word = self.word(Relaxed);
        if word.state() == State::from(forced) {
            self.until.store(until, Relaxed);
            return None;
        }
        Some(self.transition(&mut cold, word, forced.into(), Reason::Forced, until, now))
    }

    /// Withdraws a force: the breaker is closed, its window empty. Does nothing to one that is not forced.
    pub fn release(&self, now: Instant) -> Option<Transition> {
        let mut cold = lock(&self.cold);
        let word = self.word(Relaxed);
        if !word.state().is_forced() {
            return None;
        }
        Some(self.close(&mut cold, word, Reason::Released, now))
    }

    /// Begins anew, whatever the state: closed, with an empty window. Calls under way count nowhere but in the
    /// statistics, which go on.
    pub fn reset(&self, now: Instant) -> Transition {
        let mut cold = lock(&self.cold);
        let word = self.word(Relaxed);
        self.close(&mut cold, word, Reason::Reset, now)
    }

    /// Takes on other settings. What each edit keeps stands in [the module's table](super#what-an-edit-keeps).
    pub fn reconfigure(&self, config: Config, now: Instant) {
        let mut cold = lock(&self.cold);
        let probes = (cold.config.probes, cold.config.probe_failures);
        let word = self.word(Relaxed);
        if word.state() == State::HalfOpen && probes != (config.probes, config.probe_failures) {
            // By other numbers the round might neither be decided nor admit another probe.
            let until = self.after(now, config.half_open_deadline);
            self.publish(State::HalfOpen, word.next_generation(), until);
        }
        let generation = self.word(Relaxed).generation();
        let same_kind = self.rules.counts_calls() == matches!(config.window, Window::Count { .. });
        match config.window {
            Window::Time { buckets, width } => {
                let carry = same_kind.then_some(generation);
                let now = self.since_origin(now);
                self.time.reshape(buckets, width, carry, now, &self.totals);
            }
            Window::Count { calls } => self.count.reshape(calls, generation, same_kind),
        }
        self.rules.set(&config);
        // What was in order by the old rules may not be by the new.
        self.time.disquiet();
        cold.config = config;
    }
}
