//! From one state to the next: by time, or because a call or an order says so.
//!
//! Transitions take a lock among themselves; each puts everything of the new state in its place before it publishes the
//! state word, so that whoever reads the word finds the rest at least as new.

use std::time::{Duration, Instant};

use super::{Breaker, Cold, NEVER};
use crate::breaker::permit::Pass;
use crate::breaker::state::{Reason, State, Transition};
use crate::breaker::word::Word;
use crate::origin::nanos;
use crate::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use crate::sync::lock;

impl Breaker {
    /// Does what time alone does, for a breaker that has no calls: ends forces that expired and rounds of probes that
    /// are overdue. An open breaker whose time is over stays open until a call wants to probe.
    pub fn tick(&self, now: Instant) -> Option<Transition> {
        let word = self.word(Acquire);
        let due = match word.state() {
            State::Closed | State::Open => return None,
            _ => self.until.load(Relaxed),
        };
        if self.since_origin(now) < due {
            return None;
        }
        self.time_is_over(word, now)
    }

    /// The time of this word's state is over: what follows it, unless somebody was faster.
    #[cold]
    pub(super) fn time_is_over(&self, of: Word, now: Instant) -> Option<Transition> {
        let mut cold = lock(&self.cold);
        let word = self.word(Acquire);
        if word.generation() != of.generation() || self.since_origin(now) < self.until.load(Relaxed)
        {
            return None;
        }
        match word.state() {
            State::Closed => None,
            State::Open => {
                let until = self.after(now, cold.config.half_open_deadline);
                let (to, reason) = (State::HalfOpen, Reason::OpenTimeOver);
                Some(self.transition(&mut cold, word, to, reason, until, now))
            }
            State::HalfOpen => {
                let (failed, unfinished) = (word.failed(), word.under_way());
                if u16::from(failed) + u16::from(unfinished) >= u16::from(self.rules.probes().1) {
                    let reason = Reason::ProbesOverdue { failed, unfinished };
                    return Some(self.open(&mut cold, word, reason, now));
                }
                // Too few calls came to decide anything: another round, in which these count no more.
                let until = self.after(now, cold.config.half_open_deadline);
                self.publish(State::HalfOpen, word.next_generation(), until);
                None
            }
            State::ForcedOpen | State::Disabled | State::MetricsOnly => {
                Some(self.close(&mut cold, word, Reason::ForceExpired, now))
            }
        }
    }

    /// The transition that admitting a call made.
    pub(in crate::breaker) fn transition_to(&self, pass: Pass) -> Option<Transition> {
        if !pass.word.began() {
            return None;
        }
        let cold = lock(&self.cold);
        cold.last
            .filter(|_| self.word(Relaxed).generation() == pass.word.generation())
    }

    pub(super) fn open(
        &self,
        cold: &mut Cold,
        from: Word,
        reason: Reason,
        now: Instant,
    ) -> Transition {
        let open_for = cold.config.open_time(cold.opened, &mut cold.random);
        cold.opened = cold.opened.saturating_add(1);
        let until = self.after(now, open_for);
        self.transition(cold, from, State::Open, reason, until, now)
    }

    pub(super) fn close(
        &self,
        cold: &mut Cold,
        from: Word,
        reason: Reason,
        now: Instant,
    ) -> Transition {
        cold.opened = 0;
        self.transition(cold, from, State::Closed, reason, NEVER, now)
    }

    pub(super) fn after(&self, now: Instant, time: Duration) -> u64 {
        // One short of never.
        self.since_origin(now)
            .saturating_add(nanos(time))
            .min(NEVER - 1)
    }

    pub(super) fn transition(
        &self,
        cold: &mut Cold,
        from: Word,
        to: State,
        reason: Reason,
        until: u64,
        now: Instant,
    ) -> Transition {
        self.publish(to, from.next_generation(), until);
        let transition = Transition {
            from: from.state(),
            to,
            reason,
            at: now,
            until: self.instant(until),
        };
        cold.last = Some(transition);
        transition
    }

    /// The word comes last: who reads it finds the rest.
    pub(super) fn publish(&self, state: State, generation: u64, until: u64) {
        self.count.begin(generation);
        self.streak.0.begin(generation);
        self.until.store(until, Release);
        self.word.store(Word::new(state, generation).0, Release);
    }
}
