//! Runs the circuit breaker's table on failsafe and tower-resilience and prints what differs as lines of a Markdown table:
//! `cargo run -p guildhall-bench-micro --example breaker_table`. Both read the real clock, so that a second of the table
//! is [`SECOND`] here.
#![expect(
    clippy::print_stdout,
    clippy::expect_used,
    reason = "a program that prints, on input that is in the repository"
)]

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use failsafe::{FailurePolicy, StateMachine, failure_policy};
use serde_json::Value;
use tokio::sync::oneshot;
use tower::{Layer, Service, service_fn};
use tower_resilience_circuitbreaker::{CircuitBreakerLayer, CircuitState, SlidingWindowType};

const TABLE: &str = include_str!("../../../crates/guildhall-resilience/tests/table/breaker.json");

/// A second of the table: failsafe counts windows in whole seconds, and this makes one of ten.
const SECOND: Duration = Duration::from_millis(100);

#[derive(Clone, Copy, PartialEq)]
enum Outcome {
    Success,
    Failure,
    Ignored,
}

/// A call under way: ends it so.
type End = Box<dyn FnOnce(Outcome)>;

trait Peer {
    /// Begins a call; `None` if it was refused.
    fn begin(&self) -> Option<End>;
    fn state(&self) -> &'static str;
}

/// The settings of a case, with the defaults where it names none.
struct Settings<'a>(&'a Value, &'a Value);

impl Settings<'_> {
    fn get(&self, name: &str) -> &Value {
        self.1["config"].get(name).unwrap_or(&self.0[name])
    }

    fn number(&self, name: &str) -> f64 {
        self.get(name).as_f64().expect("a number")
    }

    fn time(&self, name: &str) -> Duration {
        SECOND.mul_f64(self.number(name))
    }

    fn window(&self) -> Duration {
        let window = self.get("window");
        let (buckets, width) = (window["buckets"].as_f64(), window["width"].as_f64());
        SECOND.mul_f64(buckets.unwrap_or(1.0) * width.unwrap_or(1.0))
    }
}

type Made = Result<Box<dyn Peer>, &'static str>;

struct Failsafe<P>(StateMachine<P, ()>);

impl<P: FailurePolicy + 'static> Peer for Failsafe<P> {
    fn begin(&self) -> Option<End> {
        if !self.0.is_call_permitted() {
            return None;
        }
        let breaker = self.0.clone();
        Some(Box::new(move |outcome| match outcome {
            Outcome::Success => breaker.on_success(),
            Outcome::Failure => breaker.on_error(),
            Outcome::Ignored => {}
        }))
    }

    fn state(&self) -> &'static str {
        let state = format!("{:?}", self.0);
        if state.contains("half_open") {
            "HALF_OPEN"
        } else if state.contains("closed") {
            "CLOSED"
        } else {
            "OPEN"
        }
    }
}

fn failsafe(settings: &Settings<'_>) -> Made {
    if !settings.get("window")["calls"].is_null() {
        return Err("no count window");
    }
    if !settings.get("slowSeconds").is_null() {
        return Err("no rule for slow calls");
    }
    // Its own backoffs count whole seconds.
    let longest = settings.time("openSecondsAtMost");
    let backoff = std::iter::successors(Some(settings.time("openSeconds")), move |time| {
        Some((*time * 2).min(longest))
    });
    if let Some(failures) = settings.get("consecutiveFailures").as_u64() {
        let policy = failure_policy::consecutive_failures(failures as u32, backoff);
        let breaker = failsafe::Config::new().failure_policy(policy).build();
        return Ok(Box::new(Failsafe(breaker)));
    }
    let policy = failure_policy::success_rate_over_time_window(
        1.0 - settings.number("failureRate"),
        settings.number("minimumVolume") as u32,
        settings.window(),
        backoff,
    );
    let breaker = failsafe::Config::new().failure_policy(policy).build();
    // It judges nothing before a whole window has passed; the table is about what it does then.
    std::thread::sleep(settings.window() + SECOND);
    Ok(Box::new(Failsafe(breaker)))
}

type Answer = Result<(), ()>;
type Running = Pin<Box<dyn Future<Output = bool>>>;

/// The breaker as a service of requests that are answered through a channel.
struct TowerResilience {
    call: Box<dyn Fn(oneshot::Receiver<Answer>, oneshot::Sender<()>) -> Running>,
    state: Box<dyn Fn() -> CircuitState>,
}

fn poll(running: &mut Running) -> Poll<bool> {
    running
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()))
}

impl Peer for TowerResilience {
    fn begin(&self) -> Option<End> {
        let (end, ended) = oneshot::channel();
        let (begin, mut began) = oneshot::channel();
        let mut running = (self.call)(ended, begin);
        if poll(&mut running).is_ready() || began.try_recv().is_err() {
            return None;
        }
        Some(Box::new(move |outcome| {
            let answer = match outcome {
                Outcome::Success => Ok(()),
                Outcome::Failure => Err(()),
                // Its future is dropped.
                Outcome::Ignored => return,
            };
            let _ = end.send(answer);
            let _ = poll(&mut running);
        }))
    }

    fn state(&self) -> &'static str {
        match (self.state)() {
            CircuitState::Closed => "CLOSED",
            CircuitState::Open => "OPEN",
            CircuitState::HalfOpen => "HALF_OPEN",
        }
    }
}

fn tower_resilience(settings: &Settings<'_>) -> Made {
    let mut config = CircuitBreakerLayer::builder()
        .minimum_number_of_calls(settings.number("minimumVolume") as usize)
        .wait_duration_in_open(settings.time("openSeconds"))
        .permitted_calls_in_half_open(settings.number("probes") as usize);
    config = match settings.get("window")["calls"].as_u64() {
        Some(calls) => config
            .sliding_window_type(SlidingWindowType::CountBased)
            .sliding_window_size(calls as usize),
        None => config
            .sliding_window_type(SlidingWindowType::TimeBased)
            .sliding_window_duration(settings.window()),
    };
    if let Some(rate) = settings.get("failureRate").as_f64() {
        config = config.failure_rate_threshold(rate);
    }
    if let Some(failures) = settings.get("consecutiveFailures").as_u64() {
        config = config.consecutive_failures(failures as usize);
    }
    if !settings.get("slowSeconds").is_null() {
        config = config
            .slow_call_duration_threshold(settings.time("slowSeconds"))
            .slow_call_rate_threshold(settings.number("slowRate"));
    }
    let layer = config.build().map_err(|_| "these settings are refused")?;
    let service = layer.layer(service_fn(
        |(ended, begin): (oneshot::Receiver<Answer>, oneshot::Sender<()>)| async move {
            let _ = begin.send(());
            ended.await.unwrap_or(Err(()))
        },
    ));
    let asked = service.clone();
    Ok(Box::new(TowerResilience {
        call: Box::new(move |ended, begin| {
            let mut service = service.clone();
            Box::pin(async move {
                let ready = std::future::poll_fn(|cx| service.poll_ready(cx)).await;
                ready.is_ok() && service.call((ended, begin)).await.is_ok()
            })
        }),
        state: Box::new(move || asked.state_sync()),
    }))
}

fn calls(peer: &dyn Peer, outcome: Outcome, event: &Value, name: &str) {
    for _ in 0..event[name].as_u64().unwrap_or_default() {
        if let Some(end) = peer.begin() {
            end(outcome);
        }
    }
}

/// What differs from the table, if anything does.
fn run(peer: &dyn Peer, case: &Value) -> Option<String> {
    let mut held: HashMap<String, Vec<End>> = HashMap::new();
    let name = |event: &Value, verb: &str| event[verb].as_str().unwrap_or_default().to_owned();
    for event in case["events"].as_array().expect("events") {
        calls(peer, Outcome::Success, event, "succeed");
        calls(peer, Outcome::Failure, event, "fail");
        calls(peer, Outcome::Ignored, event, "ignore");
        if let Some(seconds) = event["pass"].as_f64() {
            std::thread::sleep(SECOND.mul_f64(seconds));
        }
        if event.get("begin").is_some() {
            let times = event["times"].as_u64().unwrap_or(1);
            let begun = (0..times).filter_map(|_| peer.begin());
            held.entry(name(event, "begin")).or_default().extend(begun);
        }
        let (ended, with) = match event.get("end") {
            Some(_) if event["with"] == "success" => ("end", Outcome::Success),
            Some(_) => ("end", Outcome::Failure),
            None => ("drop", Outcome::Ignored),
        };
        for end in held.remove(&name(event, ended)).unwrap_or_default() {
            end(with);
        }
        if let Some(expect) = event["admitted"].as_u64() {
            let of = event["of"].as_u64().unwrap_or_default();
            let ends: Vec<End> = (0..of).filter_map(|_| peer.begin()).collect();
            if ends.len() as u64 != expect {
                return Some(format!("{} admitted at `{event}`", ends.len()));
            }
            ends.into_iter().for_each(|end| end(Outcome::Ignored));
        }
        if let Some(expect) = event["expect"].as_str()
            && expect != peer.state()
        {
            return Some(format!("{} at `{event}`", peer.state()));
        }
    }
    None
}

fn main() {
    let table: Value = serde_json::from_str(TABLE).expect("the table is JSON");
    let peers: [fn(&Settings<'_>) -> Made; 2] = [failsafe, tower_resilience];
    println!("| case | failsafe | tower-resilience |\n|---|---|---|");
    for case in table["cases"].as_array().expect("cases") {
        let [failsafe, tower] = peers.map(|make| match make(&Settings(&table["defaults"], case)) {
            Ok(peer) => run(peer.as_ref(), case).unwrap_or_else(|| "as the table".into()),
            Err(missing) => format!("({missing})"),
        });
        let name = case["name"].as_str().unwrap_or_default();
        println!("| {name} | {failsafe} | {tower} |");
    }
}
