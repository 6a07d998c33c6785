//! The language-neutral table of event sequences and the states they lead to, run on ours. `docs/resilience-divergences.md`
//! says what peers make of it.

use std::collections::HashMap;
use std::time::Duration;

use guildhall_resilience::Outcome;
use guildhall_resilience::breaker::{Config, Window};
use serde_json::Value;

use super::Bench;

const TABLE: &str = include_str!("../../table/breaker.json");

/// The settings of a case, with the defaults where it names none.
fn config(defaults: &Value, case: &Value) -> Config {
    let field = |name: &str| case["config"].get(name).unwrap_or(&defaults[name]);
    let number = |name: &str| field(name).as_f64().unwrap();
    let seconds = |name: &str| Duration::from_secs_f64(number(name));
    let window = field("window");
    let window = match window["calls"].as_u64() {
        Some(calls) => Window::Count {
            calls: calls as u32,
        },
        None => Window::Time {
            buckets: window["buckets"].as_u64().unwrap() as u8,
            width: Duration::from_secs_f64(window["width"].as_f64().unwrap()),
        },
    };
    let in_a_row = field("consecutiveFailures").as_u64();
    let mut config = Config::builder()
        .window(window)
        .failure_rate(field("failureRate").as_f64())
        .minimum_volume(number("minimumVolume") as u32)
        .consecutive_failures(in_a_row.map(|failures| failures as u32))
        .open_for(seconds("openSeconds"), seconds("openSecondsAtMost"))
        .probes(number("probes") as u8, number("probeFailures") as u8)
        .jitter(0.0);
    if !field("slowSeconds").is_null() {
        config = config.slow_calls(seconds("slowSeconds"), number("slowRate"));
    }
    config.build().unwrap()
}

fn outcome(name: &str) -> Outcome {
    match name {
        "success" => Outcome::Success,
        "failure" => Outcome::Failure,
        "ignored" => Outcome::Ignored,
        other => panic!("no outcome: {other}"),
    }
}

/// What differs from the table, if anything does.
fn run(defaults: &Value, case: &Value) -> Result<(), String> {
    let config = config(defaults, case);
    let bench = Bench::with(config);
    let mut held: HashMap<&str, Vec<_>> = HashMap::new();
    for event in case["events"].as_array().unwrap() {
        let (what, value) = event.as_object().unwrap().iter().next().unwrap();
        // The map is sorted: the event's verb is the one that is known.
        let verb = ["begin", "end", "drop", "admitted"]
            .into_iter()
            .find(|verb| event.get(verb).is_some())
            .unwrap_or(what);
        let count = value.as_u64().unwrap_or_default() as usize;
        match verb {
            "succeed" => drop(bench.succeed(count)),
            "fail" => drop(bench.fail(count)),
            "ignore" => drop(bench.calls(Outcome::Ignored, count)),
            "pass" => drop(bench.pass(value.as_f64().unwrap())),
            "begin" => {
                let times = event
                    .get("times")
                    .map_or(1, |times| times.as_u64().unwrap());
                let permits = (0..times).filter_map(|_| bench.breaker.acquire(bench.now()).ok());
                let name = event["begin"].as_str().unwrap();
                held.entry(name).or_default().extend(permits);
            }
            "end" => {
                let with = outcome(event["with"].as_str().unwrap());
                for permit in held.remove(event["end"].as_str().unwrap()).unwrap() {
                    permit.record(with, bench.now());
                }
            }
            "drop" => drop(held.remove(event["drop"].as_str().unwrap())),
            "admitted" => {
                let permits: Vec<_> = (0..event["of"].as_u64().unwrap())
                    .filter_map(|_| bench.breaker.acquire(bench.now()).ok())
                    .collect();
                if event["admitted"] != permits.len() {
                    return Err(format!("{} admitted at {event}", permits.len()));
                }
            }
            "expect" => {
                let state = bench.breaker.state();
                if *value != state.name() {
                    return Err(format!("{state} at {event}"));
                }
            }
            other => panic!("no event: {other}"),
        }
    }
    Ok(())
}

#[test]
fn ours_does_what_the_table_says() {
    let table: Value = serde_json::from_str(TABLE).unwrap();
    let cases = table["cases"].as_array().unwrap();
    assert!(cases.len() >= 20);
    for case in cases {
        run(&table["defaults"], case)
            .unwrap_or_else(|differs| panic!("{}: {differs}", case["name"]));
    }
}
