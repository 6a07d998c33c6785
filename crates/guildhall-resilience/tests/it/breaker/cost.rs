//! The path of a call allocates nothing.

use guildhall_resilience::Outcome;
use guildhall_resilience::breaker::{State, Window};

use super::Bench;
use crate::alloc::allocations;

#[track_caller]
fn check(bench: &Bench, outcome: Outcome) {
    // A thread's first call may set up its stripe.
    bench.calls(outcome, 1);
    let count = allocations(|| {
        for _ in 0..1_000 {
            if let Ok(permit) = bench.breaker.acquire(bench.now()) {
                permit.record(outcome, bench.now());
            }
        }
    });
    assert_eq!(count, 0);
}

#[test]
fn a_call_allocates_nothing() {
    let bench = Bench::new(|config| config);
    check(&bench, Outcome::Success);
    bench.pass(1.0);
    check(&bench, Outcome::Ignored);
}

#[test]
fn failing_opening_and_refusing_allocate_nothing() {
    let bench = Bench::new(|config| config);
    check(&bench, Outcome::Failure);
    bench.expect(State::Open);
    assert_eq!(allocations(|| bench.breaker.snapshot(bench.now())), 0);
}

#[test]
fn a_count_window_allocates_nothing() {
    let bench = Bench::new(|config| {
        config
            .window(Window::Count { calls: 50 })
            .failure_rate(None)
    });
    check(&bench, Outcome::Failure);
    check(&bench, Outcome::Success);
}
