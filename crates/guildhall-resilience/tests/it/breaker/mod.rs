//! The circuit breaker: its pitfalls, its states, a reference model, edits, and the table that peers run too.

mod cost;
mod edits;
mod layer;
mod model;
mod pitfalls;
mod states;
mod table;

use std::cell::Cell;
use std::time::{Duration, Instant};

use guildhall_resilience::Outcome;
use guildhall_resilience::breaker::{Breaker, Builder, Config, State, Transition};

/// A breaker on a clock of its own, which only the test moves.
struct Bench {
    breaker: Breaker,
    start: Instant,
    now: Cell<Instant>,
}

impl Bench {
    /// With the defaults changed so, and without jitter.
    fn new(change: impl FnOnce(Builder) -> Builder) -> Self {
        Self::with(change(Config::builder().jitter(0.0)).build().unwrap())
    }

    fn with(config: Config) -> Self {
        #[expect(clippy::disallowed_methods, reason = "some instant to begin with")]
        let start = Instant::now();
        Self {
            breaker: Breaker::new(config, 7, start),
            start,
            now: Cell::new(start),
        }
    }

    fn now(&self) -> Instant {
        self.now.get()
    }

    fn pass(&self, seconds: f64) -> &Self {
        self.now.set(self.now() + Duration::from_secs_f64(seconds));
        self
    }

    /// So many calls that end at once; the transitions they cause, refusals passed over.
    fn calls(&self, outcome: Outcome, count: usize) -> Vec<Transition> {
        (0..count)
            .filter_map(|_| self.breaker.acquire(self.now()).ok())
            .filter_map(|permit| permit.record(outcome, self.now()))
            .collect()
    }

    fn fail(&self, count: usize) -> Vec<Transition> {
        self.calls(Outcome::Failure, count)
    }

    fn succeed(&self, count: usize) -> Vec<Transition> {
        self.calls(Outcome::Success, count)
    }

    #[track_caller]
    fn expect(&self, state: State) -> &Self {
        assert_eq!(self.breaker.state(), state);
        self
    }

    /// Opens it, by the defaults' rule.
    #[track_caller]
    fn open(&self) -> &Self {
        self.fail(20);
        self.expect(State::Open);
        self
    }

    /// Opens it and lets the open time pass.
    #[track_caller]
    fn ready_to_probe(&self) -> &Self {
        self.open().pass(5.0)
    }
}
