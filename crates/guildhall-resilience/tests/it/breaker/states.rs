//! Every state × every event, one line each: the snapshot is the machine's table.

use std::time::Duration;

use guildhall_resilience::Outcome;
use guildhall_resilience::breaker::{Forced, State};

use super::Bench;

/// A breaker in this state, with nothing under way.
fn bench_in(state: State) -> Bench {
    let bench = Bench::new(|config| config.consecutive_failures(Some(3)));
    let until = Some(bench.now() + Duration::from_secs(60));
    let force = |bench: &Bench, forced| {
        bench.breaker.force(forced, until, bench.now());
    };
    match state {
        State::Closed => {}
        State::Open => {
            bench.fail(3);
        }
        State::HalfOpen => {
            bench.fail(3);
            bench.pass(5.0);
            drop(bench.breaker.acquire(bench.now()));
        }
        State::ForcedOpen => force(&bench, Forced::Open),
        State::Disabled => force(&bench, Forced::Disabled),
        State::MetricsOnly => force(&bench, Forced::MetricsOnly),
    }
    bench.expect(state);
    bench
}

/// What happens: its name, and what it does to a breaker, in words.
type Event = (&'static str, fn(&Bench) -> String);

fn acquired(bench: &Bench) -> String {
    match bench.breaker.acquire(bench.now()) {
        Ok(permit) => format!(
            "{}{}",
            if permit.is_probe() { "probe" } else { "permit" },
            transition(permit.transition())
        ),
        Err(refusal) => format!("{refusal}{}", transition(refusal.transition)),
    }
}

fn transition(transition: Option<guildhall_resilience::breaker::Transition>) -> String {
    transition.map_or_else(String::new, |one| format!("; {one}"))
}

fn told(transitions: &[guildhall_resilience::breaker::Transition]) -> String {
    let told: Vec<String> = transitions.iter().map(ToString::to_string).collect();
    told.join("; ")
}

const EVENTS: [Event; 17] = [
    ("acquire", |bench| acquired(bench)),
    ("acquire after 5 s", |bench| acquired(bench.pass(5.0))),
    ("acquire after 30 s", |bench| acquired(bench.pass(30.0))),
    ("acquire after 60 s", |bench| acquired(bench.pass(60.0))),
    ("3 successes", |bench| told(&bench.succeed(3))),
    ("2 failures", |bench| told(&bench.fail(2))),
    ("3 failures", |bench| told(&bench.fail(3))),
    ("3 ignored", |bench| told(&bench.calls(Outcome::Ignored, 3))),
    ("2 hang for 30 s, tick", |bench| {
        let held: Vec<_> = (0..2).map(|_| bench.breaker.acquire(bench.now())).collect();
        let now = bench.now() + Duration::from_secs(30);
        let ticked = bench.breaker.tick(now);
        drop(held);
        transition(ticked)
    }),
    ("tick after 60 s", |bench| {
        bench.pass(60.0);
        transition(bench.breaker.tick(bench.now()))
    }),
    ("force open", |bench| {
        transition(bench.breaker.force(Forced::Open, None, bench.now()))
    }),
    ("force disabled", |bench| {
        transition(bench.breaker.force(Forced::Disabled, None, bench.now()))
    }),
    ("force metrics only, 1 s", |bench| {
        let until = bench.now() + Duration::from_secs(1);
        transition(
            bench
                .breaker
                .force(Forced::MetricsOnly, Some(until), bench.now()),
        )
    }),
    ("release", |bench| {
        transition(bench.breaker.release(bench.now()))
    }),
    ("reset", |bench| {
        transition(Some(bench.breaker.reset(bench.now())))
    }),
    ("edit of the probes, 2 successes", |bench| {
        let config = super::Config::builder().probes(2, 1).build().unwrap();
        bench.breaker.reconfigure(config, bench.now());
        told(&bench.succeed(2))
    }),
    ("stale failures", |bench| {
        let held: Vec<_> = (0..3)
            .filter_map(|_| bench.breaker.acquire(bench.now()).ok())
            .collect();
        bench.breaker.force(Forced::Open, None, bench.now());
        bench.breaker.reset(bench.now());
        let told: Vec<_> = held
            .into_iter()
            .filter_map(|permit| permit.record(Outcome::Failure, bench.now()))
            .collect();
        told.len().to_string()
    }),
];

#[test]
fn every_state_and_event() {
    let mut table = String::new();
    for state in State::ALL {
        for (name, event) in EVENTS {
            let bench = bench_in(state);
            let told = event(&bench);
            let line = format!(
                "{:<12} | {name:<32} | {:<12} | ",
                state.name(),
                bench.breaker.state().name()
            );
            table.push_str(format!("{line}{}", told.trim_start_matches("; ")).trim_end());
            table.push('\n');
        }
    }
    insta::assert_snapshot!(table);
}
