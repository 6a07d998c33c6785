//! The end of a call: counted in the window, or as a probe, or in the statistics alone; and what that leads to.

use std::time::Instant;

use super::Breaker;
use crate::Outcome;
use crate::breaker::permit::Pass;
use crate::breaker::state::{Reason, State, Transition};
use crate::breaker::stripe::Total;
use crate::breaker::time_window::At;
use crate::breaker::window::Call;
use crate::breaker::word::Word;
use crate::sync::atomic::{
    Ordering::{Acquire, Relaxed, SeqCst},
    fence,
};
use crate::sync::lock;

impl Breaker {
    /// A permit's call is over.
    pub(in crate::breaker) fn complete(
        &self,
        pass: Word,
        admitted: u64,
        outcome: Outcome,
        now: Instant,
    ) -> Option<Transition> {
        let now_nanos = self.since_origin(now);
        let slow =
            admitted != Pass::UNTIMED && self.rules.is_slow(now_nanos.saturating_sub(admitted));
        let call = Call {
            failed: outcome == Outcome::Failure,
            slow,
        };
        let generation = pass.generation();
        let word = self.word(Acquire);
        let reason =
            if word.is_closed() && word.generation() == generation && outcome != Outcome::Ignored {
                self.count_call(generation, call, now_nanos)?
            } else {
                return self.complete_otherwise(pass, call, outcome, now);
            };
        self.trip(generation, reason, now)
    }

    /// The end of a call in a closed breaker: why it opens, if it does.
    #[inline]
    fn count_call(&self, generation: u64, call: Call, now: u64) -> Option<Reason> {
        let consecutive = self.rules.consecutive_failures();
        let streak = match consecutive {
            Some(_) => self.streak.0.record(generation, call.failed),
            None => 0,
        };
        let verdict = if self.rules.counts_calls() {
            self.total(call);
            self.count.record(generation, call);
            fence(SeqCst);
            self.rules.judge(self.count.counts(generation))
        } else {
            let at = self.time.at(generation, now);
            self.time.record(at, call, &self.totals);
            if !call.is_bad() && self.time.is_quiet(at) {
                return None;
            }
            self.judge_time(at)
        };
        consecutive
            .filter(|limit| streak >= *limit)
            .map(|_| Reason::ConsecutiveFailures { failed: streak })
            .or(verdict)
    }

    #[cold]
    fn judge_time(&self, at: At) -> Option<Reason> {
        // Of two calls that reach a limit together at least one sees the other.
        fence(SeqCst);
        let counts = self.time.counts(at);
        let verdict = self.rules.judge(counts);
        if verdict.is_none() && self.rules.has_volume(counts) {
            self.time.quieten(at);
        }
        verdict
    }

    #[cold]
    pub(super) fn trip(&self, generation: u64, reason: Reason, now: Instant) -> Option<Transition> {
        let mut cold = lock(&self.cold);
        let word = self.word(Relaxed);
        (word.generation() == generation).then(|| self.open(&mut cold, word, reason, now))
    }

    /// The end of a call that does not count in a closed breaker's window.
    #[cold]
    fn complete_otherwise(
        &self,
        pass: Word,
        call: Call,
        outcome: Outcome,
        now: Instant,
    ) -> Option<Transition> {
        let word = self.word(Acquire);
        let (generation, probe) = (pass.generation(), pass.is_half_open());
        if outcome == Outcome::Ignored {
            self.totals.add(Total::Ignored, 1);
            if probe {
                self.give_back(generation);
            }
            return None;
        }
        if word.generation() == generation && word.state() == State::MetricsOnly {
            if self.rules.counts_calls() {
                self.total(call);
                self.count.record(generation, call);
            } else {
                let at = self.time.at(generation, self.since_origin(now));
                self.time.record(at, call, &self.totals);
            }
            return None;
        }
        self.total(call);
        if probe {
            return self.complete_probe(generation, call, now);
        }
        None
    }

    pub(super) fn total(&self, call: Call) {
        self.totals.add(
            if call.failed {
                Total::Failed
            } else {
                Total::Successful
            },
            1,
        );
        if call.slow {
            self.totals.add(Total::Slow, 1);
        }
    }

    fn complete_probe(&self, generation: u64, call: Call, now: Instant) -> Option<Transition> {
        let after = self.change_probes(generation, |word| word.probed(Some(!call.is_bad())))?;
        let (probes, failures) = self.rules.probes();
        let reopens = after.failed() >= failures;
        let closes = after.succeeded() > probes.saturating_sub(failures);
        if !reopens && !closes {
            return None;
        }
        let mut cold = lock(&self.cold);
        let word = self.word(Relaxed);
        if word.generation() != generation {
            return None;
        }
        if reopens {
            let failed = after.failed();
            return Some(self.open(&mut cold, word, Reason::ProbesFailed { failed }, now));
        }
        let succeeded = after.succeeded();
        Some(self.close(&mut cold, word, Reason::ProbesSucceeded { succeeded }, now))
    }

    /// A probe is over that came to nothing.
    #[cold]
    pub(in crate::breaker) fn give_back(&self, generation: u64) {
        self.change_probes(generation, |word| word.probed(None));
    }

    /// Changes the word as long as it is of this generation; what it then was.
    fn change_probes(&self, generation: u64, change: impl Fn(Word) -> Word) -> Option<Word> {
        loop {
            let word = self.word(Acquire);
            if word.generation() != generation {
                return None;
            }
            let changed = change(word);
            if self.swap(word, changed) {
                return Some(changed);
            }
        }
    }
}
