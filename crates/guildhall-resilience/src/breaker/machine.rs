//! The breaker itself: admitting, recording, and the transitions.
//!
//! The path of a closed breaker is atomics only. Transitions are rare and take a lock among themselves; each puts
//! everything of the new state in its place before it publishes the state word, so that whoever reads the word finds
//! the rest at least as new.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fastrand::Rng;

use super::config::{Config, Window};
use super::count_window::CountWindow;
use super::permit::{Pass, Permit, Refusal};
use super::snapshot::Snapshot;
use super::state::{Forced, Reason, State, Transition};
use super::stripe::{Padded, Total, Totals, stripes};
use super::time_window::TimeWindow;
use super::window::{Call, Counts, Rules, Streak};
use super::word::Word;
use crate::Outcome;
use crate::origin::{Origin, nanos};
use crate::sync::atomic::{
    AtomicU64,
    Ordering::{AcqRel, Acquire, Relaxed, Release, SeqCst},
    fence,
};
use crate::sync::{Mutex, lock};

/// No end by time.
const NEVER: u64 = u64::MAX;

/// A circuit breaker; see [the module](super). Shared by reference: put it in an [`Arc`], or in a `static`'s lazy cell.
pub struct Breaker {
    start: Instant,
    origin: Origin,
    word: AtomicU64,
    /// When time changes the state, in nanoseconds since `start`. As new as `word`, or newer.
    until: AtomicU64,
    rules: Rules,
    time: TimeWindow,
    count: CountWindow,
    streak: Padded<Streak>,
    totals: Totals,
    cold: Mutex<Cold>,
}

/// What transitions need and calls do not.
struct Cold {
    config: Config,
    random: Rng,
    /// How often it has opened since it was last closed.
    opened: u32,
    last: Option<Transition>,
}

impl Breaker {
    /// A closed breaker. The `seed` is of its jitter: give each one its own, so that they do not come back together.
    pub fn new(config: Config, seed: u64, now: Instant) -> Self {
        let stripes = stripes();
        let (time, count) = match config.window {
            Window::Time { buckets, width } => (
                TimeWindow::new(buckets, width, stripes),
                CountWindow::new(None),
            ),
            // Not yet used: the smallest there is.
            Window::Count { calls } => (
                TimeWindow::new(1, Duration::from_secs(1), stripes),
                CountWindow::new(Some(calls)),
            ),
        };
        Self {
            start: now,
            origin: Origin::new(now),
            word: AtomicU64::new(Word::new(State::Closed, 0).0),
            until: AtomicU64::new(NEVER),
            rules: Rules::new(&config),
            time,
            count,
            streak: Padded(Streak::new()),
            totals: Totals::new(stripes),
            cold: Mutex::new(Cold {
                config,
                random: Rng::with_seed(seed),
                opened: 0,
                last: None,
            }),
        }
    }

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

    /// The state as it was last published. Time may have ended it: the next call or [`Breaker::tick`] will say so.
    pub fn state(&self) -> State {
        self.word(Acquire).state()
    }

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

    /// The settings in force.
    pub fn config(&self) -> Config {
        lock(&self.cold).config.clone()
    }

    /// State, statistics and window at one glance, for a view of many breakers. Calls that end meanwhile may be counted
    /// in some of the figures and not yet in others.
    pub fn snapshot(&self, now: Instant) -> Snapshot {
        let cold = lock(&self.cold);
        let word = self.word(Acquire);
        let sum = |total| self.totals.sum(total);
        let sum_and_words = |total| sum(total).wrapping_add(self.time.unsettled(total));
        let (successful, failed) = (
            sum_and_words(Total::Successful),
            sum_and_words(Total::Failed),
        );
        let (ignored, rejected) = (sum(Total::Ignored), sum(Total::Rejected));
        Snapshot {
            state: word.state(),
            until: self.instant(self.until.load(Relaxed)),
            total: successful + failed + ignored + rejected,
            successful,
            failed,
            slow: sum_and_words(Total::Slow),
            ignored,
            rejected,
            probes_under_way: word.under_way(),
            window: self.counts(word.generation(), now),
            last_transition: cold.last,
        }
    }

    /// The latest change of state; `None` before the first.
    pub fn last_transition(&self) -> Option<Transition> {
        lock(&self.cold).last
    }

    #[inline]
    fn word(&self, ordering: std::sync::atomic::Ordering) -> Word {
        Word(self.word.load(ordering))
    }

    #[inline]
    fn since_origin(&self, now: Instant) -> u64 {
        self.origin.nanos(now)
    }

    fn instant(&self, at: u64) -> Option<Instant> {
        (at != NEVER)
            .then(|| self.start.checked_add(Duration::from_nanos(at)))
            .flatten()
    }

    fn counts(&self, generation: u64, now: Instant) -> Counts {
        if self.rules.counts_calls() {
            return self.count.counts(generation);
        }
        self.time
            .counts(self.time.at(generation, self.since_origin(now)))
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

    fn swap(&self, old: Word, new: Word) -> bool {
        self.word
            .compare_exchange_weak(old.0, new.0, AcqRel, Acquire)
            .is_ok()
    }

    /// The time of this word's state is over: what follows it, unless somebody was faster.
    #[cold]
    fn time_is_over(&self, of: Word, now: Instant) -> Option<Transition> {
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
    pub(super) fn transition_to(&self, pass: Pass) -> Option<Transition> {
        if !pass.word.began() {
            return None;
        }
        let cold = lock(&self.cold);
        cold.last
            .filter(|_| self.word(Relaxed).generation() == pass.word.generation())
    }

    /// A permit's call is over.
    pub(super) fn complete(
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
    fn judge_time(&self, at: super::time_window::At) -> Option<Reason> {
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
    fn trip(&self, generation: u64, reason: Reason, now: Instant) -> Option<Transition> {
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

    fn total(&self, call: Call) {
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
    pub(super) fn give_back(&self, generation: u64) {
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

    fn open(&self, cold: &mut Cold, from: Word, reason: Reason, now: Instant) -> Transition {
        let open_for = cold.config.open_time(cold.opened, &mut cold.random);
        cold.opened = cold.opened.saturating_add(1);
        let until = self.after(now, open_for);
        self.transition(cold, from, State::Open, reason, until, now)
    }

    fn close(&self, cold: &mut Cold, from: Word, reason: Reason, now: Instant) -> Transition {
        cold.opened = 0;
        self.transition(cold, from, State::Closed, reason, NEVER, now)
    }

    fn after(&self, now: Instant, time: Duration) -> u64 {
        // One short of never.
        self.since_origin(now)
            .saturating_add(nanos(time))
            .min(NEVER - 1)
    }

    fn transition(
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
    fn publish(&self, state: State, generation: u64, until: u64) {
        self.count.begin(generation);
        self.streak.0.begin(generation);
        self.until.store(until, Release);
        self.word.store(Word::new(state, generation).0, Release);
    }
}

impl fmt::Debug for Breaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Breaker")
            .field("state", &self.state())
            .finish_non_exhaustive()
    }
}
