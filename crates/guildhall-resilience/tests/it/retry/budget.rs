//! The budget against a naive reference model, under many threads, and by its pitfalls.

use std::{
    sync::{
        Barrier,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use guildhall_resilience::retry::{Budget, BudgetConfig, BudgetStatus};
use proptest::prelude::*;

const SECOND: Duration = Duration::from_secs(1);

fn budget(ratio: f64, per_second: u32, now: Instant) -> Budget {
    Budget::new(BudgetConfig::new(ratio, per_second).unwrap(), now)
}

/// tower#857: the price of a retry was rounded, so that 0.6 granted 1.0.
#[test]
fn no_ratio_grants_more_than_itself() {
    let now = Instant::now();
    for percent in 1..=300u64 {
        let budget = budget(percent as f64 / 100.0, 0, now);
        for _ in 0..100 {
            budget.deposit(now);
        }
        let granted = (0..1_000).filter(|_| budget.withdraw(now)).count() as u64;
        assert_eq!(granted, percent, "{percent} retries for 100 requests");
    }
}

#[test]
fn a_caller_with_little_traffic_lives_on_the_floor() {
    let now = Instant::now();
    let budget = budget(0.2, 1, now);
    assert_eq!((0..100).filter(|_| budget.withdraw(now)).count(), 10);
    assert!(!budget.withdraw(now + 9 * SECOND));
    assert!(budget.withdraw(now + 10 * SECOND));
}

#[test]
fn the_window_slides_by_the_second() {
    let now = Instant::now();
    let budget = budget(1.0, 0, now);
    for second in 0..20 {
        budget.deposit(now + second * SECOND);
    }
    let requests = |second| budget.status(now + second * SECOND).requests;
    assert_eq!([19, 20, 25, 28, 29].map(requests), [10, 9, 4, 1, 0]);
}

#[test]
fn a_clock_that_stands_still_or_jumps_back_grants_nothing() {
    let start = Instant::now() + 100 * SECOND;
    let budget = budget(0.5, 0, start);
    let now = start + 50 * SECOND;
    for _ in 0..10 {
        budget.deposit(now);
    }
    assert_eq!((0..10).filter(|_| budget.withdraw(now)).count(), 5);
    for back in [0, 5, 49, 90] {
        assert!(!budget.withdraw(now - back * SECOND));
    }
    let full = BudgetStatus {
        requests: 10,
        retries: 5,
        left: 0,
    };
    assert_eq!(
        (budget.status(now), budget.status(now - 90 * SECOND)),
        (full, full)
    );
}

#[test]
fn an_edit_keeps_the_window() {
    let now = Instant::now();
    let budget = budget(0.1, 0, now);
    for _ in 0..100 {
        budget.deposit(now);
    }
    assert_eq!((0..100).filter(|_| budget.withdraw(now)).count(), 10);
    budget.reconfigure(BudgetConfig::new(0.3, 0).unwrap());
    assert_eq!(
        budget.status(now),
        BudgetStatus {
            requests: 100,
            retries: 10,
            left: 20
        }
    );
    budget.reconfigure(BudgetConfig::new(0.05, 0).unwrap());
    assert_eq!(
        budget.status(now),
        BudgetStatus {
            requests: 100,
            retries: 10,
            left: 0
        }
    );
    assert!(!budget.withdraw(now));
}

#[test]
fn years_without_a_request_leave_nothing_behind() {
    let now = Instant::now();
    let budget = budget(1.0, 0, now);
    budget.deposit(now);
    budget.withdraw(now);
    let later = now + 3 * 365 * 86_400 * SECOND;
    assert_eq!(
        budget.status(later),
        BudgetStatus {
            requests: 0,
            retries: 0,
            left: 0
        }
    );
    budget.deposit(later);
    assert!(budget.withdraw(later));
    assert!(!budget.withdraw(later));
}

/// Keeps every request and retry with its second, and counts those of the last ten.
#[derive(Default)]
struct Model {
    requests: Vec<u64>,
    retries: Vec<u64>,
    latest: u64,
}

impl Model {
    fn counts(&self) -> (u64, u64) {
        let live = |seconds: &[u64]| {
            seconds
                .iter()
                .filter(|second| **second + 10 > self.latest)
                .count() as u64
        };
        (live(&self.requests), live(&self.retries))
    }
}

proptest! {
    #[test]
    fn it_is_the_naive_count(
        percent in 0u64..250,
        per_second in 0u32..3,
        steps in prop::collection::vec((0u64..3_000, any::<bool>(), 0u64..20), 1..200),
    ) {
        let start = Instant::now() + 3600 * SECOND;
        let budget = budget(percent as f64 / 100.0, per_second, start);
        let mut model = Model::default();
        let mut millis = 0;
        for (step, is_retry, back) in steps {
            millis += step;
            // Every tenth time a clock that jumped back by a minute.
            let seen = if back == 0 { millis.saturating_sub(60_000) } else { millis };
            let now = start + Duration::from_millis(seen);
            model.latest = model.latest.max(seen / 1_000);
            if is_retry {
                let (requests, retries) = model.counts();
                let may = retries < requests * percent / 100 + u64::from(per_second) * 10;
                prop_assert_eq!(budget.withdraw(now), may);
                if may {
                    model.retries.push(model.latest);
                }
            } else {
                budget.deposit(now);
                model.requests.push(model.latest);
            }
            let status = budget.status(now);
            prop_assert_eq!((status.requests, status.retries), model.counts());
        }
    }
}

/// Threads take more than there is, at once and while the window moves; nobody gets more than the ratio.
#[test]
fn many_threads_never_get_more_than_the_ratio() {
    const THREADS: u64 = 8;
    const REQUESTS: u64 = 2_000;
    let now = Instant::now();
    for round in 0..20u64 {
        let budget = budget(0.2, 0, now);
        let granted = AtomicU64::new(0);
        let start = Barrier::new(THREADS as usize);
        thread::scope(|scope| {
            for thread in 0..THREADS {
                let (budget, granted, start) = (&budget, &granted, &start);
                scope.spawn(move || {
                    start.wait();
                    // Neighbours are in different seconds of the same window.
                    let now = now + Duration::from_millis(400 * ((thread + round) % 4));
                    for _ in 0..REQUESTS {
                        budget.deposit(now);
                        for _ in 0..2 {
                            if budget.withdraw(now) {
                                granted.fetch_add(1, Ordering::Relaxed);
                            }
                        }
                    }
                });
            }
        });
        let granted = granted.into_inner();
        let most = THREADS * REQUESTS / 5;
        assert!(granted <= most, "{granted} of {most}");
        // And hardly less: stepping back from a clash costs only the clash.
        assert!(granted * 10 >= most * 9, "{granted} of {most}");
        let status = budget.status(now + SECOND);
        assert_eq!(
            (status.requests, status.retries),
            (THREADS * REQUESTS, granted)
        );
    }
}
