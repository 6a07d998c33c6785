//! The retry budget beside tower's: a request and, once in ten, a retry. A decision, and a hedge's plan, for the record.

use std::hint::black_box;
use std::time::{Duration, Instant};

use guildhall_bench_micro::{Contender, compare, wanted};
use guildhall_resilience::hedge::{Hedge, HedgeConfig, Hedgeable};
use guildhall_resilience::retry::{
    Attempted, Body, Budget, BudgetConfig, FailureClass, Idempotency, RetryPolicy,
};
use tower::retry::budget::{Budget as _, TpsBudget};

/// Every group of this file.
pub(crate) fn run() {
    for threads in [1, 2] {
        budgets(threads);
    }
    decisions();
}

fn ours() -> Budget {
    Budget::new(BudgetConfig::default(), Instant::now())
}

fn budgets(threads: usize) {
    if !wanted("retry-budget") {
        return;
    }
    let (budget, tower) = (ours(), TpsBudget::new(Duration::from_secs(10), 10, 0.2));
    compare(
        "retry-budget, a request and a tenth of a retry, each with its clock",
        threads,
        &[
            Contender::new("ours (Instant::now)", |n| {
                for at in 0..n {
                    let now = Instant::now();
                    budget.deposit(now);
                    if at % 10 == 0 {
                        black_box(budget.withdraw(now));
                    }
                }
            }),
            Contender::new("tower TpsBudget", |n| {
                for at in 0..n {
                    tower.deposit();
                    if at % 10 == 0 {
                        black_box(tower.withdraw());
                    }
                }
            }),
        ],
    );
    let spent = Budget::new(BudgetConfig::default(), Instant::now());
    let now = Instant::now();
    while spent.withdraw(now) {}
    let tower = TpsBudget::new(Duration::from_secs(10), 1, 0.0);
    while tower.withdraw() {}
    compare(
        "retry-budget, spent: a retry is asked for in vain",
        threads,
        &[
            Contender::new("ours (without the clock)", |n| {
                for _ in 0..n {
                    black_box(spent.withdraw(now));
                }
            }),
            Contender::new("tower TpsBudget (Instant::now)", |n| {
                for _ in 0..n {
                    black_box(tower.withdraw());
                }
            }),
        ],
    );
}

fn decisions() {
    if !wanted("retry-decision") {
        return;
    }
    let now = Instant::now();
    let budget = ours();
    let failed = Attempted {
        attempts: 1,
        class: FailureClass::Unavailable,
        idempotency: Idempotency::Idempotent,
        body: Body::Empty,
        retry_after: None,
        remaining: Some(Duration::from_secs(3)),
    };
    let hedge = Hedge::new(
        HedgeConfig::quantile(0.95)
            .expect("a share")
            .with_samples(1),
        now,
    );
    hedge.record(Duration::from_millis(3), now);
    let request = Hedgeable {
        sent: 1,
        idempotency: Idempotency::Idempotent,
        body: Body::Empty,
        remaining: None,
    };
    compare(
        "retry-decision, without the clock",
        1,
        &[
            Contender::new("deposit", |n| {
                for _ in 0..n {
                    budget.deposit(black_box(now));
                }
            }),
            Contender::new("policy and budget decide", |n| {
                let mut random = fastrand::Rng::with_seed(1);
                let policy = RetryPolicy::default();
                for _ in 0..n {
                    black_box(policy.decide(black_box(&failed), Some(&budget), &mut random, now));
                }
            }),
            Contender::new("hedge: record and plan", |n| {
                for _ in 0..n {
                    hedge.record(black_box(Duration::from_millis(3)), now);
                    black_box(hedge.plan(black_box(&request), now));
                }
            }),
        ],
    );
}
