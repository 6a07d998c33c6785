//! Hedges from outside: reasons, quantiles against sorted samples, the budget.

use std::time::{Duration, Instant};

use fastrand::Rng;
use guildhall_resilience::{
    hedge::{Hedge, HedgeConfig, HedgeDecision, Hedgeable, Latency, NoHedge},
    retry::{Body, Budget, BudgetConfig, Idempotency},
};
use proptest::prelude::*;

use crate::alloc::allocations;

const MS: Duration = Duration::from_millis(1);

const REQUEST: Hedgeable = Hedgeable {
    sent: 1,
    idempotency: Idempotency::Idempotent,
    body: Body::Empty,
    remaining: None,
};

#[test]
fn every_reason_against_a_hedge() {
    let now = Instant::now();
    let fixed = Hedge::new(HedgeConfig::after(40 * MS), now);
    let unmeasured = Hedge::new(HedgeConfig::quantile(0.95).unwrap(), now);
    let rows = [
        ("a GET", fixed.plan(&REQUEST, now)),
        (
            "held body",
            fixed.plan(
                &Hedgeable {
                    body: Body::Held,
                    ..REQUEST
                },
                now,
            ),
        ),
        (
            "a POST",
            fixed.plan(
                &Hedgeable {
                    idempotency: Idempotency::Unknown,
                    ..REQUEST
                },
                now,
            ),
        ),
        (
            "streamed body",
            fixed.plan(
                &Hedgeable {
                    body: Body::Streamed,
                    ..REQUEST
                },
                now,
            ),
        ),
        (
            "hedged already",
            fixed.plan(&Hedgeable { sent: 2, ..REQUEST }, now),
        ),
        (
            "41 ms left",
            fixed.plan(
                &Hedgeable {
                    remaining: Some(41 * MS),
                    ..REQUEST
                },
                now,
            ),
        ),
        (
            "40 ms left",
            fixed.plan(
                &Hedgeable {
                    remaining: Some(40 * MS),
                    ..REQUEST
                },
                now,
            ),
        ),
        ("nothing measured", unmeasured.plan(&REQUEST, now)),
    ]
    .map(|(name, decision)| format!("{name}: {decision:?}"));
    insta::assert_snapshot!(rows.join("\n"));
}

#[test]
fn hedges_are_sent_after_the_quantile_once_there_are_samples() {
    let now = Instant::now();
    let hedge = Hedge::new(HedgeConfig::quantile(0.9).unwrap(), now);
    for millis in 1..=99 {
        hedge.record(millis * MS, now);
    }
    let few = HedgeDecision::No(NoHedge::TooFewSamples { samples: 99 });
    assert_eq!(hedge.plan(&REQUEST, now), few);
    hedge.record(100 * MS, now);
    let after = |hedge: &Hedge, now| match hedge.plan(&REQUEST, now) {
        HedgeDecision::After(delay) => delay,
        HedgeDecision::No(why) => panic!("{why:?}"),
    };
    assert!(
        (90..=102).contains(&after(&hedge, now).as_millis()),
        "{:?}",
        after(&hedge, now)
    );
    // An edit keeps what was measured.
    let lower = hedge.reconfigured(HedgeConfig::quantile(0.5).unwrap());
    assert!((50..=57).contains(&after(&lower, now).as_millis()));
    let floor = hedge.reconfigured(HedgeConfig::quantile(0.5).unwrap().with_least(70 * MS));
    assert_eq!(after(&floor, now), 70 * MS);
    // Half a minute later it still counts, and a minute later no more.
    assert_eq!(after(&hedge, now + 31_000 * MS), after(&hedge, now));
    let none = HedgeDecision::No(NoHedge::TooFewSamples { samples: 0 });
    assert_eq!(hedge.plan(&REQUEST, now + 61_000 * MS), none);
}

#[test]
fn hedges_stay_within_their_budget_when_everything_is_slow() {
    let now = Instant::now();
    let hedge = Hedge::new(HedgeConfig::after(10 * MS), now);
    let budget = Budget::new(HedgeConfig::budget(), now);
    let mut fired = 0;
    for _ in 0..1_000 {
        budget.deposit(now);
        fired += u32::from(hedge.fire(&budget, now).is_ok());
    }
    // 5% of 1,000, and one for each second of the window.
    assert_eq!(fired, 60);
    assert_eq!(hedge.fire(&budget, now), Err(NoHedge::BudgetSpent));
    let none = Budget::new(BudgetConfig::new(0.0, 0).unwrap(), now);
    assert_eq!(hedge.fire(&none, now), Err(NoHedge::BudgetSpent));
}

#[test]
fn a_clock_that_jumps_back_turns_no_window_over() {
    let start = Instant::now() + Duration::from_secs(3600);
    let latency = Latency::new(start);
    let now = start + Duration::from_secs(45);
    latency.record(MS, now);
    latency.record(MS, start);
    assert_eq!(latency.quantile(0.5, now).1, 2);
    assert_eq!(latency.quantile(0.5, start - Duration::from_secs(9)).1, 2);
}

#[test]
fn an_answer_is_counted_anew_often_enough() {
    let now = Instant::now();
    let latency = Latency::new(now);
    for _ in 0..100 {
        latency.record(MS, now);
    }
    assert!(latency.quantile(0.5, now).0 < 2 * MS);
    for _ in 0..1_000 {
        latency.record(100 * MS, now);
    }
    let asked = (0..65).find(|_| latency.quantile(0.5, now).0 > 90 * MS);
    assert!(
        asked.is_some(),
        "64 askings later it is still the old answer"
    );
}

proptest! {
    /// Between the nearest rank of the sorted samples and an eighth more.
    #[test]
    fn quantiles_are_those_of_the_sorted_samples(
        micros in prop::collection::vec(2u64..60_000_000, 1..300),
        share in 0.01f64..0.999,
    ) {
        let now = Instant::now();
        let latency = Latency::new(now);
        for micros in &micros {
            latency.record(Duration::from_micros(*micros), now);
        }
        let mut sorted = micros.clone();
        sorted.sort_unstable();
        let rank = (share * sorted.len() as f64).ceil().max(1.0) as usize;
        let exact = Duration::from_micros(sorted[rank - 1]);
        let (got, samples) = latency.quantile(share, now);
        prop_assert_eq!(samples as usize, micros.len());
        prop_assert!(got + Duration::from_nanos(1) > exact && got <= exact.mul_f64(1.126), "{got:?} for {exact:?}");
    }
}

#[test]
fn what_is_out_of_range_counts_as_the_nearest() {
    let now = Instant::now();
    for (latency, from, to) in [
        (Duration::ZERO, Duration::ZERO, MS / 500),
        (
            Duration::MAX,
            Duration::from_secs(60),
            Duration::from_secs(70),
        ),
    ] {
        let all = Latency::new(now);
        all.record(latency, now);
        let (got, _) = all.quantile(1.0, now);
        assert!((from..=to).contains(&got), "{got:?}");
    }
}

#[test]
fn what_is_wrong_with_a_configuration_is_said() {
    let errors = [
        HedgeConfig::quantile(0.0).unwrap_err(),
        HedgeConfig::quantile(f64::NAN).unwrap_err(),
        HedgeConfig::after(MS).with_hedges(5).unwrap_err(),
    ]
    .map(|error| error.to_string());
    insta::assert_snapshot!(errors.join("\n"));
}

#[test]
fn planning_and_recording_allocate_nothing() {
    let now = Instant::now();
    let hedge = Hedge::new(HedgeConfig::quantile(0.95).unwrap(), now);
    let budget = Budget::new(HedgeConfig::budget(), now);
    let mut random = Rng::with_seed(1);
    let count = allocations(|| {
        for _ in 0..500 {
            hedge.record(Duration::from_micros(random.u64(..100_000)), now);
            let _ = (hedge.plan(&REQUEST, now), hedge.fire(&budget, now));
        }
    });
    assert_eq!(count, 0);
}
