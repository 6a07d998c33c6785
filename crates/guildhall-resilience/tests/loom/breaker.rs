//! The breaker's state word, its window and its transitions, under every interleaving of two threads.

use std::sync::Arc;
use std::time::{Duration, Instant};

use guildhall_resilience::Outcome;
use guildhall_resilience::breaker::{Breaker, Builder, Config, Forced, State, Window};
use loom::thread;

/// Runs the model with a breaker that two calls can open.
fn model(
    change: impl Fn(Builder) -> Builder,
    run: impl Fn(&Arc<Breaker>, Instant) + Send + Sync + 'static,
) {
    let config = change(
        Config::builder()
            .window(Window::Time {
                buckets: 2,
                width: Duration::from_secs(1),
            })
            .minimum_volume(2)
            .jitter(0.0)
            .probes(1, 1),
    )
    .build()
    .unwrap();
    #[expect(clippy::disallowed_methods, reason = "some instant to begin with")]
    let now = Instant::now();
    let mut builder = loom::model::Builder::new();
    // Two threads that interfere more often than this find nothing that fewer do not.
    builder.preemption_bound = Some(3);
    builder.check(move || run(&Arc::new(Breaker::new(config.clone(), 1, now)), now));
}

fn call(breaker: &Breaker, outcome: Outcome, now: Instant) {
    if let Ok(permit) = breaker.acquire(now) {
        permit.record(outcome, now);
    }
}

/// Both at once: the second on a thread of its own.
fn both(
    breaker: &Arc<Breaker>,
    one: impl FnOnce(&Breaker),
    other: impl FnOnce(&Breaker) + 'static,
) {
    let theirs = Arc::clone(breaker);
    let thread = thread::spawn(move || other(&theirs));
    one(breaker);
    thread.join().unwrap();
}

#[test]
fn two_failures_that_reach_the_limit_together_open_it() {
    model(
        |config| config,
        |breaker, now| {
            let fail = move |breaker: &Breaker| call(breaker, Outcome::Failure, now);
            both(breaker, fail, fail);
            assert_eq!(breaker.state(), State::Open);
        },
    );
}

#[test]
fn a_success_and_a_failure_that_reach_the_volume_together_open_it() {
    model(
        |config| config,
        |breaker, now| {
            both(
                breaker,
                move |breaker| call(breaker, Outcome::Failure, now),
                move |breaker| call(breaker, Outcome::Success, now),
            );
            assert_eq!(breaker.state(), State::Open);
        },
    );
}

#[test]
fn a_stale_failure_never_counts_after_a_reset() {
    model(
        |config| config.minimum_volume(1),
        |breaker, now| {
            both(
                breaker,
                move |breaker| call(breaker, Outcome::Failure, now),
                move |breaker| {
                    breaker.reset(now);
                },
            );
            // Before the reset or after it: a whole call, or a stale one.
            let snapshot = breaker.snapshot(now);
            assert!(snapshot.state == State::Open || snapshot.window.failed == 0);
            assert_eq!(snapshot.failed, 1);
        },
    );
}

#[test]
fn a_stale_failure_never_opens_what_was_reset() {
    model(
        |config| config.minimum_volume(1),
        |breaker, now| {
            let theirs = Arc::clone(breaker);
            let permit = breaker.acquire_owned(|| now).unwrap();
            let thread = thread::spawn(move || permit.record(Outcome::Failure, now));
            theirs.reset(now);
            let transition = thread.join().unwrap();
            let snapshot = theirs.snapshot(now);
            assert_eq!((snapshot.state, snapshot.window.total), (State::Closed, 0));
            // If it opened, that was before.
            if let Some(transition) = transition {
                assert_eq!(transition.from, State::Closed);
                assert_eq!(snapshot.last_transition.unwrap().from, State::Open);
            }
        },
    );
}

#[test]
fn one_probe_is_given_once() {
    model(
        |config| config,
        |breaker, now| {
            breaker.force(Forced::Open, None, now);
            breaker.reset(now);
            call(breaker, Outcome::Failure, now);
            call(breaker, Outcome::Failure, now);
            let later = now + Duration::from_secs(5);
            let theirs = Arc::clone(breaker);
            let thread = thread::spawn(move || theirs.acquire_owned(|| later).ok());
            let ours = breaker.acquire_owned(|| later).ok();
            let other = thread.join().unwrap();
            assert!(ours.is_some() != other.is_some());
            let told = [&ours, &other]
                .into_iter()
                .flatten()
                .filter(|permit| permit.transition().is_some());
            assert!(told.count() <= 1);
            drop((ours, other));
            assert_eq!(breaker.snapshot(later).probes_under_way, 0);
        },
    );
}

#[test]
fn a_bucket_is_turned_over_without_losing_a_call() {
    model(
        |config| config.minimum_volume(100),
        |breaker, now| {
            call(breaker, Outcome::Success, now);
            let later = now + Duration::from_secs(2);
            let succeed = move |breaker: &Breaker| call(breaker, Outcome::Success, later);
            both(breaker, succeed, succeed);
            let snapshot = breaker.snapshot(later);
            assert_eq!((snapshot.window.total, snapshot.successful), (2, 3));
        },
    );
}

#[test]
fn a_count_window_adds_up() {
    model(
        |config| {
            config
                .window(Window::Count { calls: 2 })
                .failure_rate(None)
                .failure_count(None)
        },
        |breaker, now| {
            call(breaker, Outcome::Failure, now);
            both(
                breaker,
                move |breaker| call(breaker, Outcome::Failure, now),
                move |breaker| call(breaker, Outcome::Success, now),
            );
            let window = breaker.snapshot(now).window;
            assert_eq!((window.total, window.failed), (2, 1));
        },
    );
}
