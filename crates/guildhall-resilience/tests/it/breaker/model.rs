//! The breaker against a model that remembers every call: whatever the order of calls, ends, times, orders and edits.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use guildhall_resilience::Outcome;
use guildhall_resilience::breaker::{Breaker, Config, Forced, Permit, State, Window};
use proptest::prelude::*;

use super::Bench;

#[derive(Clone, Debug)]
enum Event {
    Acquire,
    /// Ends one of the calls under way.
    Record(usize, Outcome),
    Drop(usize),
    /// A call that begins and ends.
    Calls(Outcome, u8),
    Pass(u32),
    Force(Forced, Option<u32>),
    Release,
    Reset,
    Tick,
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let outcome = || {
        prop_oneof![
            3 => Just(Outcome::Success),
            3 => Just(Outcome::Failure),
            1 => Just(Outcome::Ignored),
        ]
    };
    let forced = prop_oneof![
        Just(Forced::Open),
        Just(Forced::Disabled),
        Just(Forced::MetricsOnly)
    ];
    let event = prop_oneof![
        8 => Just(Event::Acquire),
        8 => (any::<usize>(), outcome()).prop_map(|(at, outcome)| Event::Record(at, outcome)),
        2 => any::<usize>().prop_map(Event::Drop),
        8 => (outcome(), 1..8u8).prop_map(|(outcome, count)| Event::Calls(outcome, count)),
        6 => (0..1_500u32).prop_map(Event::Pass),
        2 => (2_000..40_000u32).prop_map(Event::Pass),
        1 => (forced, proptest::option::of(0..20_000u32)).prop_map(|(forced, until)| Event::Force(forced, until)),
        1 => Just(Event::Release),
        1 => Just(Event::Reset),
        1 => Just(Event::Tick),
    ];
    proptest::collection::vec(event, 1..120)
}

/// The rules of the model's breakers; the configuration is made of the same figures.
#[derive(Clone, Debug)]
struct Rules {
    window: Window,
    minimum: u32,
    percent: u32,
    consecutive: Option<u32>,
    count: Option<u32>,
    slow: Option<u32>,
    probes: u8,
    failures: u8,
}

fn rules() -> impl Strategy<Value = Rules> {
    let window = prop_oneof![
        (1..20u8, 100..1_000u64).prop_map(|(buckets, millis)| Window::Time {
            buckets,
            width: Duration::from_millis(millis)
        }),
        (1..12u32).prop_map(|calls| Window::Count { calls }),
    ];
    let optional = || proptest::option::of(1..8u32);
    (
        window,
        1..12u32,
        1..=10u32,
        optional(),
        optional(),
        optional(),
        1..5u8,
        1..5u8,
    )
        .prop_map(
            |(window, minimum, tenths, consecutive, count, slow, probes, failures)| {
                let most = match window {
                    Window::Time { .. } => u32::MAX,
                    Window::Count { calls } => calls,
                };
                Rules {
                    window,
                    minimum: minimum.min(most),
                    percent: tenths * 10,
                    consecutive,
                    count: count.map(|count| count.min(most)),
                    slow: slow.map(|tenths| tenths * 100),
                    probes,
                    failures: failures.min(probes),
                }
            },
        )
}

const SLOW_SHARE: u32 = 60;

impl Rules {
    fn config(&self) -> Config {
        let mut config = Config::builder()
            .window(self.window)
            .minimum_volume(self.minimum)
            .failure_rate(Some(f64::from(self.percent) / 100.0))
            .consecutive_failures(self.consecutive)
            .failure_count(self.count)
            .probes(self.probes, self.failures)
            .jitter(0.0);
        if let Some(millis) = self.slow {
            let after = Duration::from_millis(millis.into());
            config = config.slow_calls(after, f64::from(SLOW_SHARE) / 100.0);
        }
        config.build().unwrap()
    }
}

/// One call as the model remembers it.
#[derive(Clone, Copy)]
struct Call {
    at: u64,
    failed: bool,
    slow: bool,
}

struct Model {
    rules: Rules,
    state: State,
    generation: u64,
    calls: VecDeque<Call>,
    streak: u32,
    until: Option<u64>,
    under_way: u8,
    succeeded: u8,
    failed: u8,
    opened: u32,
    rejected: u64,
}

impl Model {
    fn new(rules: Rules) -> Self {
        Self {
            rules,
            state: State::Closed,
            generation: 0,
            calls: VecDeque::new(),
            streak: 0,
            until: None,
            under_way: 0,
            succeeded: 0,
            failed: 0,
            opened: 0,
            rejected: 0,
        }
    }

    fn become_(&mut self, state: State, until: Option<u64>) {
        self.state = state;
        self.until = until;
        self.generation += 1;
        self.calls.clear();
        (self.streak, self.under_way, self.succeeded, self.failed) = (0, 0, 0, 0);
        if state == State::Closed {
            self.opened = 0;
        }
    }

    fn open(&mut self, now: u64) {
        let open_for = (5_000u64 << self.opened.min(10)).min(60_000);
        let opened = self.opened + 1;
        self.become_(State::Open, Some(now + open_for));
        self.opened = opened;
    }

    fn pass_time(&mut self, now: u64, a_call_is_there: bool) {
        if self.until.is_none_or(|until| now < until) {
            return;
        }
        match self.state {
            State::Closed => {}
            State::Open if !a_call_is_there => {}
            State::Open => self.become_(State::HalfOpen, Some(now + 30_000)),
            State::HalfOpen if self.failed + self.under_way >= self.rules.failures => {
                self.open(now)
            }
            State::HalfOpen => self.become_(State::HalfOpen, Some(now + 30_000)),
            _ => self.become_(State::Closed, None),
        }
    }

    /// Whether it is a probe, if it is admitted.
    fn acquire(&mut self, now: u64) -> Option<bool> {
        self.pass_time(now, true);
        let probe = self.state == State::HalfOpen;
        let admits = match self.state {
            State::Closed | State::Disabled | State::MetricsOnly => true,
            State::Open | State::ForcedOpen => false,
            State::HalfOpen => self.under_way + self.succeeded + self.failed < self.rules.probes,
        };
        if !admits {
            self.rejected += 1;
            return None;
        }
        self.under_way += u8::from(probe);
        Some(probe)
    }

    fn complete(
        &mut self,
        generation: u64,
        probe: bool,
        outcome: Option<Outcome>,
        took: u64,
        now: u64,
    ) {
        if generation != self.generation {
            return;
        }
        self.under_way -= u8::from(probe);
        let failed = match outcome {
            Some(Outcome::Success) => false,
            Some(Outcome::Failure) => true,
            Some(Outcome::Ignored) | None => return,
        };
        let slow = self
            .rules
            .slow
            .is_some_and(|after| took >= u64::from(after));
        match self.state {
            State::HalfOpen => {
                if failed || slow {
                    self.failed += 1;
                } else {
                    self.succeeded += 1;
                }
                if self.failed >= self.rules.failures {
                    self.open(now);
                } else if self.succeeded > self.rules.probes - self.rules.failures {
                    self.become_(State::Closed, None);
                }
            }
            State::Closed | State::MetricsOnly => {
                self.calls.push_back(Call {
                    at: now,
                    failed,
                    slow,
                });
                self.streak = if failed { self.streak + 1 } else { 0 };
                if self.state == State::Closed && self.trips(now) {
                    self.open(now);
                }
            }
            _ => {}
        }
    }

    /// (total, failed, slow) of the window, counted call by call.
    fn window(&self, now: u64) -> (u64, u64, u64) {
        let calls: Vec<&Call> = match self.rules.window {
            Window::Count { calls } => self.calls.iter().rev().take(calls as usize).collect(),
            Window::Time { buckets, width } => {
                let number = |at: u64| at / width.as_millis() as u64;
                let is_in = |at| number(now) - number(at) < u64::from(buckets);
                self.calls.iter().filter(|call| is_in(call.at)).collect()
            }
        };
        let count = |of: fn(&Call) -> bool| calls.iter().filter(|call| of(call)).count() as u64;
        (
            calls.len() as u64,
            count(|call| call.failed),
            count(|call| call.slow),
        )
    }

    fn trips(&self, now: u64) -> bool {
        let (total, failed, slow) = self.window(now);
        let rates = total >= u64::from(self.rules.minimum)
            && (failed * 100 >= total * u64::from(self.rules.percent)
                || self.rules.slow.is_some() && slow * 100 >= total * u64::from(SLOW_SHARE));
        rates
            || self
                .rules
                .count
                .is_some_and(|count| failed >= u64::from(count))
            || self
                .rules
                .consecutive
                .is_some_and(|count| self.streak >= count)
    }
}

/// A call under way, on both sides.
struct UnderWay<'a> {
    permit: Permit<&'a Breaker>,
    generation: u64,
    began: u64,
}

fn check(rules: Rules, events: Vec<Event>) -> Result<(), TestCaseError> {
    let start = Bench::new(|config| config).start;
    let breaker = Breaker::new(rules.config(), 1, start);
    let mut model = Model::new(rules);
    let mut under_way: Vec<UnderWay<'_>> = Vec::new();
    let mut now = 0u64;
    let instant = |at: u64| -> Instant { start + Duration::from_millis(at) };
    for event in events {
        match event {
            Event::Acquire => {
                let (ours, theirs) = (breaker.acquire(instant(now)), model.acquire(now));
                prop_assert_eq!(ours.as_ref().ok().map(Permit::is_probe), theirs);
                if let Ok(permit) = ours {
                    under_way.push(UnderWay {
                        permit,
                        generation: model.generation,
                        began: now,
                    });
                }
            }
            Event::Record(at, outcome) if !under_way.is_empty() => {
                let one = under_way.swap_remove(at % under_way.len());
                let probe = one.permit.is_probe();
                let before = (model.state, model.generation);
                let transition = one.permit.record(outcome, instant(now));
                model.complete(one.generation, probe, Some(outcome), now - one.began, now);
                prop_assert_eq!(
                    transition.is_some(),
                    before != (model.state, model.generation)
                );
            }
            Event::Drop(at) if !under_way.is_empty() => {
                let one = under_way.swap_remove(at % under_way.len());
                model.complete(one.generation, one.permit.is_probe(), None, 0, now);
            }
            Event::Record(..) | Event::Drop(_) => {}
            Event::Calls(outcome, count) => {
                for _ in 0..count {
                    let (ours, theirs) = (breaker.acquire(instant(now)), model.acquire(now));
                    prop_assert_eq!(ours.as_ref().ok().map(Permit::is_probe), theirs);
                    if let (Ok(permit), Some(probe)) = (ours, theirs) {
                        permit.record(outcome, instant(now));
                        model.complete(model.generation, probe, Some(outcome), 0, now);
                    }
                }
            }
            Event::Pass(millis) => now += u64::from(millis),
            Event::Force(forced, until) => {
                let until = until.map(|until| now + u64::from(until));
                breaker.force(forced, until.map(instant), instant(now));
                if model.state == State::from(forced) {
                    model.until = until;
                } else {
                    model.become_(forced.into(), until);
                }
            }
            Event::Release => {
                breaker.release(instant(now));
                if model.state.is_forced() {
                    model.become_(State::Closed, None);
                }
            }
            Event::Reset => {
                breaker.reset(instant(now));
                model.become_(State::Closed, None);
            }
            Event::Tick => {
                breaker.tick(instant(now));
                model.pass_time(now, false);
            }
        }
        let snapshot = breaker.snapshot(instant(now));
        prop_assert_eq!(snapshot.state, model.state);
        prop_assert_eq!(snapshot.probes_under_way, model.under_way);
        prop_assert_eq!(snapshot.until, model.until.map(instant));
        prop_assert_eq!(snapshot.rejected, model.rejected);
        let window = (
            snapshot.window.total,
            snapshot.window.failed,
            snapshot.window.slow,
        );
        prop_assert_eq!(window, model.window(now));
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    #[test]
    fn it_does_what_the_model_does(rules in rules(), events in events()) {
        check(rules, events)?;
    }
}
