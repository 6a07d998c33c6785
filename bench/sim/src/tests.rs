//! What a run promises: every request ends once, the same seed gives the same bytes, and queues are as theory says.

use std::time::Duration;

use crate::backend::Site;
use crate::measure::Record;
use crate::report::section;
use crate::scenario::{self, Scenario};
use crate::strategy::naive::Naive;
use crate::suite::{Caller, play};
use crate::time::{MILLISECOND, SECOND, Timeline};
use crate::world::World;

fn timeline() -> Timeline {
    Timeline::new(crate::clock::origin())
}

/// The scenarios, with the end cut off.
fn short() -> impl Iterator<Item = Scenario> {
    scenario::all().into_iter().map(|scenario| Scenario {
        ends: scenario.ends.min(30 * SECOND),
        window: 15 * SECOND..30 * SECOND,
        ..scenario
    })
}

#[test]
fn every_request_ends_exactly_once() {
    for scenario in short() {
        let played = play(scenario, 3, timeline()).unwrap();
        for (caller, record) in Caller::ALL.iter().zip(&played.records) {
            let all = record.totals();
            assert_eq!(
                all.offered,
                all.good + all.refused + all.failed + all.left,
                "{} in {}: {all:?}",
                caller.name(),
                played.scenario.name
            );
            assert!(all.offered > 10_000 && all.sent >= all.first);
            let sent_something = all.offered - all.refused;
            assert!(all.first >= all.good && all.first <= sent_something);
        }
    }
}

#[test]
fn a_seed_is_a_report_whatever_the_origin() {
    let report = |seed: u64, timeline: Timeline| {
        let mut text = String::new();
        for scenario in short() {
            let played = play(scenario, seed, timeline).unwrap();
            section(&mut text, &played).unwrap();
        }
        text
    };
    let later = Timeline::new(crate::clock::origin() + Duration::from_millis(12_345));
    let first = report(7, timeline());
    assert_eq!(first, report(7, later));
    assert_ne!(first, report(8, timeline()));
}

#[test]
fn callers_of_one_seed_meet_the_same_arrivals() {
    for scenario in short() {
        let played = play(scenario, 5, timeline()).unwrap();
        let offered: Vec<u64> = played
            .records
            .iter()
            .map(|of| of.totals().offered)
            .collect();
        assert!(offered.iter().all(|of| *of == offered[0]), "{offered:?}");
    }
}

/// The mean time in an M/M/c system, in service times: 1 + C(c, a) / (c - a), with Erlang's C.
fn sojourn(servers: u32, load: f64) -> f64 {
    let offered = f64::from(servers) * load;
    let mut term = 1.0;
    let mut sum = 1.0;
    for server in 1..servers {
        term *= offered / f64::from(server);
        sum += term;
    }
    term *= offered / f64::from(servers);
    let queued = term / (1.0 - load);
    1.0 + queued / (sum + queued) / (f64::from(servers) - offered)
}

#[test]
fn the_formula_is_right_for_one_server() {
    // M/M/1: 1 / (1 - load).
    assert!((sojourn(1, 0.75) - 4.0).abs() < 1e-9);
}

/// One endpoint, callers that wait for ever and try once.
fn queue(workers: usize, load: f64) -> Record {
    let site = Site {
        endpoints: 1,
        workers,
        service: 20 * MILLISECOND,
        backlog: usize::MAX,
        patience: 1_000 * SECOND,
    };
    let healthy = scenario::all().remove(0);
    let scenario = Scenario {
        load: vec![(0, load)],
        ends: 4_000 * SECOND,
        ..healthy
    };
    World::run(site, &scenario, Naive::new(1, 1, None), 11)
}

#[test]
fn an_endpoint_queues_as_theory_says() {
    for (workers, load) in [(1, 0.5), (4, 0.3), (4, 0.7), (8, 0.8)] {
        let record = queue(workers, load);
        let mean = record.mean_latency(100 * SECOND..4_000 * SECOND);
        let measured = mean / (20 * MILLISECOND) as f64;
        let theory = sojourn(workers as u32, load);
        assert!(
            (measured / theory - 1.0).abs() < 0.03,
            "M/M/{workers} at {load}: {measured:.4} where {theory:.4} is expected"
        );
        assert_eq!(record.totals().offered, record.totals().good);
    }
}
