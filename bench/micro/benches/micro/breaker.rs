//! A call through the circuit breaker beside failsafe's and tower-resilience's: on a clock that costs nothing, and with
//! each one's own.

use std::convert::Infallible;
use std::future::Future;
use std::hint::black_box;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use failsafe::CircuitBreaker as _;
use guildhall_bench_micro::{Contender, compare, wanted};
use guildhall_resilience::Outcome;
use guildhall_resilience::breaker::{Breaker, Config, Window};
use tower::{Layer, Service, service_fn};
use tower_resilience_circuitbreaker::CircuitBreakerLayer;

/// Every group of this file.
pub(crate) fn run() {
    for threads in [1, 2] {
        still(threads);
        with_clock(threads);
        refused(threads);
    }
}

fn breaker(config: Config) -> Breaker {
    Breaker::new(config, 7, Instant::now())
}

/// One call on a clock that stands still: of each ten, so many fail.
fn calls(breaker: &Breaker, n: u64, failures: u64, now: Instant) {
    for at in 0..n {
        let outcome = if at % 10 < failures {
            Outcome::Failure
        } else {
            Outcome::Success
        };
        if let Ok(permit) = breaker.acquire(now) {
            black_box(permit.record(outcome, now).is_some());
        }
    }
}

fn still(threads: usize) {
    if !wanted("breaker-still") {
        return;
    }
    let ours = breaker(Config::default());
    let now = Instant::now();
    let slow = breaker(
        Config::builder()
            .slow_calls(Duration::from_secs(1), 0.5)
            .consecutive_failures(Some(1_000))
            .build()
            .expect("settings"),
    );
    let count = breaker(
        Config::builder()
            .window(Window::Count { calls: 100 })
            .build()
            .expect("settings"),
    );
    compare(
        "breaker-still, acquire + record without the clock",
        threads,
        &[
            Contender::new("time window", |n| calls(&ours, n, 0, now)),
            Contender::new("time window, 1 of 10 fails", |n| calls(&ours, n, 1, now)),
            Contender::new("time window, slow calls and failures in a row", |n| {
                calls(&slow, n, 0, now);
            }),
            Contender::new("count window", |n| calls(&count, n, 0, now)),
        ],
    );
}

fn with_clock(threads: usize) {
    if !wanted("breaker-clock") {
        return;
    }
    let ours = breaker(Config::default());
    let failsafe = failsafe::Config::new().build();
    let in_a_row = failsafe::Config::new()
        .failure_policy(failsafe::failure_policy::consecutive_failures(
            5,
            failsafe::backoff::constant(Duration::from_secs(5)),
        ))
        .build();
    let tower_resilience = CircuitBreakerLayer::builder()
        .build()
        .expect("settings")
        .layer(service_fn(|n: u64| {
            std::future::ready(Ok::<u64, Infallible>(n))
        }));
    compare(
        "breaker-clock, a call that succeeds, each with its clock",
        threads,
        &[
            Contender::new("ours", |n| {
                for _ in 0..n {
                    if let Ok(permit) = ours.acquire_at(Instant::now) {
                        black_box(permit.record(Outcome::Success, Instant::now()).is_some());
                    }
                }
            }),
            Contender::new("ours, the clock read twice", |n| {
                for _ in 0..n {
                    if let Ok(permit) = ours.acquire(Instant::now()) {
                        black_box(permit.record(Outcome::Success, Instant::now()).is_some());
                    }
                }
            }),
            Contender::new("failsafe (its defaults)", |n| {
                for at in 0..n {
                    let _ = black_box(failsafe.call(|| Ok::<u64, ()>(at)));
                }
            }),
            Contender::new("failsafe (failures in a row: no clock)", |n| {
                for at in 0..n {
                    let _ = black_box(in_a_row.call(|| Ok::<u64, ()>(at)));
                }
            }),
            Contender::new("tower-resilience (its defaults)", |n| {
                let mut service = tower_resilience.clone();
                for at in 0..n {
                    let _ = black_box(now(&mut service, at));
                }
            }),
            Contender::new("Instant::now twice, alone", |n| {
                for _ in 0..n {
                    black_box((Instant::now(), Instant::now()));
                }
            }),
        ],
    );
}

/// A call of a service that answers at once; `None` if it does not.
fn now<S: Service<u64>>(service: &mut S, request: u64) -> Option<Result<S::Response, S::Error>> {
    let mut context = Context::from_waker(Waker::noop());
    let Poll::Ready(Ok(())) = service.poll_ready(&mut context) else {
        return None;
    };
    match pin!(service.call(request)).poll(&mut context) {
        Poll::Ready(result) => Some(result),
        Poll::Pending => None,
    }
}

fn refused(threads: usize) {
    if !wanted("breaker-refused") {
        return;
    }
    let hour = Duration::from_secs(3600);
    let ours = breaker(
        Config::builder()
            .open_for(hour, hour)
            .build()
            .expect("settings"),
    );
    let at = Instant::now();
    for _ in 0..20 {
        if let Ok(permit) = ours.acquire(at) {
            permit.record(Outcome::Failure, at);
        }
    }
    let failsafe = failsafe::Config::new()
        .failure_policy(failsafe::failure_policy::consecutive_failures(
            1,
            failsafe::backoff::constant(hour),
        ))
        .build();
    let _ = failsafe.call(|| Err::<(), ()>(()));
    compare(
        "breaker-refused, an open breaker, each with its clock",
        threads,
        &[
            Contender::new("ours", |n| {
                for _ in 0..n {
                    black_box(ours.acquire(Instant::now()).is_err());
                }
            }),
            Contender::new("failsafe", |n| {
                for at in 0..n {
                    let _ = black_box(failsafe.call(|| Ok::<u64, ()>(at)));
                }
            }),
        ],
    );
}
