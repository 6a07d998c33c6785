//! The breaker itself: what it is made of, and how it stands.
//!
//! The path of a closed breaker is atomics only: [`admit`] and [`complete`]. Transitions are rare and take a lock among
//! themselves: [`transition`], and [`order`] for those that somebody wants.

mod admit;
mod complete;
mod order;
mod transition;

use std::fmt;
use std::time::{Duration, Instant};

use fastrand::Rng;

use super::config::{Config, Window};
use super::count_window::CountWindow;
use super::snapshot::Snapshot;
use super::state::{State, Transition};
use super::stripe::{Padded, Total, Totals, stripes};
use super::time_window::TimeWindow;
use super::window::{Counts, Rules, Streak};
use super::word::Word;
use crate::origin::Origin;
use crate::sync::atomic::{
    AtomicU64,
    Ordering::{AcqRel, Acquire, Relaxed},
};
use crate::sync::{Mutex, lock};

/// No end by time.
const NEVER: u64 = u64::MAX;

/// A circuit breaker; see [the module](super). Shared by reference: put it in an [`Arc`](std::sync::Arc), or in a
/// `static`'s lazy cell.
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

    /// The state as it was last published. Time may have ended it: the next call or [`Breaker::tick`] will say so.
    pub fn state(&self) -> State {
        self.word(Acquire).state()
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
    pub(super) fn since_origin(&self, now: Instant) -> u64 {
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

    fn swap(&self, old: Word, new: Word) -> bool {
        self.word
            .compare_exchange_weak(old.0, new.0, AcqRel, Acquire)
            .is_ok()
    }
}

impl fmt::Debug for Breaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Breaker")
            .field("state", &self.state())
            .finish_non_exhaustive()
    }
}
