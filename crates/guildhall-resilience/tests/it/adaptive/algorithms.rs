//! What each algorithm does with windows, and with a service that queues above its capacity.

use std::fmt::Write;
use std::time::Instant;

use guildhall_resilience::Outcome;
use guildhall_resilience::adaptive::{Adaptive, AdaptiveConfig, Algorithm};
use proptest::prelude::*;

use super::{algorithms, config, ms, start};

/// Ends a window of this latency and load, of which so many fail; the limit after it.
fn window(
    adaptive: &Adaptive,
    now: &mut Instant,
    latency: u64,
    in_flight: u32,
    failed: u32,
) -> u32 {
    *now += ms(latency.max(101));
    // No more than there may be, and one of them is each request that ends.
    let others = in_flight.min(adaptive.stats().limit).saturating_sub(1);
    for request in 0..20u32 {
        let began = *now - ms(latency);
        let held: Vec<_> = (0..others)
            .map_while(|_| Adaptive::acquire(adaptive, began).ok())
            .collect();
        let Ok(permit) = Adaptive::acquire(adaptive, began) else {
            break;
        };
        let outcome = if request < failed {
            Outcome::Failure
        } else {
            Outcome::Success
        };
        // The others end as cancelled, which counts as nothing.
        drop(held);
        permit.record(outcome, *now);
    }
    adaptive.stats().limit
}

#[test]
fn every_algorithm_and_kind_of_window() {
    let kinds = [
        ("steady, busy", 10, 1.0, 0),
        ("steady, idle", 10, 0.2, 0),
        ("four times slower, busy", 40, 1.0, 0),
        ("one of twenty fails", 10, 1.0, 1),
        ("a quarter fails", 10, 1.0, 5),
        ("all fail", 10, 1.0, 20),
    ];
    let mut table = String::new();
    for (name, algorithm) in algorithms() {
        for (kind, latency, share, failed) in kinds {
            let mut now = start();
            let adaptive =
                Adaptive::new(config(algorithm).with_limits(1, 50, 500).unwrap(), 7, now);
            for _ in 0..20 {
                // It learns the usual latency without moving: nobody is near the limit.
                window(&adaptive, &mut now, 10, 5, 0);
            }
            let before = adaptive.stats().limit;
            let in_flight = (f64::from(before) * share) as u32;
            let after: Vec<u32> = (0..5)
                .map(|_| window(&adaptive, &mut now, latency, in_flight, failed))
                .collect();
            writeln!(table, "{name:<8} | {kind:<24} | {before} → {after:?}").unwrap();
        }
    }
    insta::assert_snapshot!(table);
}

/// A service that bears `capacity` requests at once in 10 ms each; above that they queue. Offered is more than enough.
/// The limits of the windows.
fn simulate(adaptive: &Adaptive, now: &mut Instant, capacity: u32, windows: u32) -> Vec<u32> {
    (0..windows)
        .map(|_| {
            // In 110 ms; all that begin together end together, later the more there are.
            for _ in 0..20 {
                let limit = adaptive.stats().limit;
                let latency = 10.0 * f64::from(limit.max(capacity)) / f64::from(capacity);
                let began = *now;
                let permits: Vec<_> = (0..limit)
                    .map_while(|_| Adaptive::acquire(adaptive, began).ok())
                    .collect();
                *now += std::time::Duration::from_secs_f64(latency / 1e3);
                for permit in permits {
                    permit.record(Outcome::Success, *now);
                }
            }
            adaptive.stats().limit
        })
        .collect()
}

#[test]
fn each_finds_about_the_capacity_and_follows_it_down() {
    for (name, algorithm) in algorithms() {
        let mut now = start();
        let adaptive = Adaptive::new(config(algorithm), 7, now);
        let high = *simulate(&adaptive, &mut now, 100, 400).last().unwrap();
        // The queue that an algorithm allows comes on top: 4 requests, up to 25 ms, up to six times the logarithm.
        let most = if name == "aimd" { 260 } else { 130 };
        assert!((90..=most).contains(&high), "{name}: {high}");
        let low = *simulate(&adaptive, &mut now, 20, 400).last().unwrap();
        assert!(low < high, "{name}: {low} after {high}");
        assert!(low >= 15, "{name}: {low}");
    }
}

/// The simulation's finding: a limit that rises by a few a window kept a service that was back at half of its load for
/// five to fifteen seconds.
#[test]
fn after_an_outage_the_limit_is_back_within_a_second() {
    for (name, algorithm) in algorithms() {
        let mut now = start();
        let adaptive = Adaptive::new(config(algorithm).with_limits(5, 80, 500).unwrap(), 7, now);
        for _ in 0..20 {
            window(&adaptive, &mut now, 10, 5, 0);
        }
        for _ in 0..50 {
            window(&adaptive, &mut now, 10, 80, 20);
        }
        let down = adaptive.stats().limit;
        let after: Vec<u32> = (0..8)
            .map(|_| window(&adaptive, &mut now, 10, 80, 0))
            .collect();
        assert!(down <= 38 && after[7] >= 40, "{name}: {down} → {after:?}");
        assert!(after[0] <= 2 * down.max(20), "{name}: {down} → {after:?}");
    }
}

/// The simulation's finding: an average that learns the queue which the limit allows lets the limit rise with it.
#[test]
fn a_gradient_does_not_follow_its_own_queue_up() {
    let (_, gradient) = algorithms()[0];
    let mut now = start();
    let adaptive = Adaptive::new(config(gradient), 7, now);
    // Up to 100 at once, as usual; then always more than that.
    for _ in 0..100 {
        window(&adaptive, &mut now, 10, adaptive.stats().limit / 3, 0);
    }
    let limits = simulate(&adaptive, &mut now, 100, 1_500);
    assert!(limits[1_499] <= 160, "{:?}", limits[1_499]);
}

/// Whatever was usual: what has become slower for good is not throttled for ever.
#[test]
fn a_gradient_believes_at_last_that_a_service_has_become_slower() {
    let (_, gradient) = algorithms()[0];
    let mut now = start();
    let adaptive = Adaptive::new(config(gradient).with_limits(10, 50, 500).unwrap(), 7, now);
    for _ in 0..100 {
        window(&adaptive, &mut now, 10, 40, 0);
    }
    let limits: Vec<u32> = (0..6_000)
        .map(|_| window(&adaptive, &mut now, 30, 500, 0))
        .collect();
    let lowest = limits.iter().min().unwrap();
    assert!(
        *lowest < 20 && limits[5_999] > 50,
        "{lowest}, then {}",
        limits[5_999]
    );
}

#[test]
fn aimd_backs_off_by_a_tenth_and_comes_back_by_ones() {
    let mut now = start();
    let (_, aimd) = algorithms()[1];
    let adaptive = Adaptive::new(config(aimd).with_limits(1, 100, 500).unwrap(), 7, now);
    assert_eq!(window(&adaptive, &mut now, 10, 100, 20), 90);
    assert_eq!(window(&adaptive, &mut now, 10, 90, 0), 91);
    assert_eq!(window(&adaptive, &mut now, 26, 91, 0), 81);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn limits_stay_within_their_bounds_whatever_happens(
        which in 0..3usize,
        min in 1..20u32,
        span in 0..100u32,
        windows in prop::collection::vec((0..2_000u64, 0..150u32, 0..21u32), 1..60),
    ) {
        let (_, algorithm): (_, Algorithm) = algorithms()[which];
        let config: AdaptiveConfig = config(algorithm).with_limits(min, min + span / 2, min + span).unwrap();
        let mut now = start();
        let adaptive = Adaptive::new(config, 7, now);
        for (latency, in_flight, failed) in windows {
            let limit = window(&adaptive, &mut now, latency, in_flight, failed);
            prop_assert!((min..=min + span).contains(&limit), "{limit}");
            prop_assert_eq!(adaptive.stats().in_flight, 0);
        }
    }
}
