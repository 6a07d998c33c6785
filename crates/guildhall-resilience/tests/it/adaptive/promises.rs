//! What an adaptive limit promises besides.

use std::time::Duration;

use guildhall_resilience::adaptive::{Adaptive, AdaptiveConfig, Aimd, Algorithm, Gradient, Vegas};
use guildhall_resilience::{Outcome, Pattern, Rejection};

use super::{algorithms, config, ms, start};
use crate::alloc::allocations;

#[test]
fn no_more_than_the_limit_at_once_and_dropped_permits_come_back() {
    let now = start();
    let adaptive = Adaptive::new(AdaptiveConfig::default(), 7, now);
    let held: Vec<_> = (0..20)
        .map(|_| Adaptive::acquire(&adaptive, now).unwrap())
        .collect();
    assert_eq!(adaptive.utilisation(), 1.0);
    let at_limit = Adaptive::acquire(&adaptive, now).unwrap_err();
    assert_eq!(at_limit.limit, 20);
    assert_eq!(
        Rejection::from(at_limit),
        Rejection {
            by: Pattern::Adaptive,
            retry_after: None
        }
    );
    drop(held);
    assert_eq!(adaptive.stats().in_flight, 0);
}

#[test]
fn cancelled_and_ignored_calls_are_no_evidence() {
    let mut now = start();
    let aimd = Algorithm::Aimd(Aimd::default());
    let adaptive = Adaptive::new(config(aimd), 7, now);
    for _ in 0..1_000 {
        let permit = Adaptive::acquire(&adaptive, now).unwrap();
        now += ms(6_000);
        match Adaptive::acquire(&adaptive, now) {
            Ok(dropped) => drop(dropped),
            Err(error) => panic!("{error}"),
        }
        assert_eq!(permit.record(Outcome::Ignored, now), None);
    }
    assert_eq!(adaptive.stats().limit, 10);
}

#[test]
fn each_call_is_in_one_window_whoever_closes_it() {
    let now = start();
    let aimd = Algorithm::Aimd(Aimd::default());
    let config = config(aimd)
        .with_window(Duration::from_nanos(1), 1)
        .unwrap();
    let adaptive = Adaptive::new(config, 7, now);
    std::thread::scope(|scope| {
        for thread in 0..3u64 {
            let adaptive = &adaptive;
            scope.spawn(move || {
                for call in 0..5_000u64 {
                    let now = now + Duration::from_micros(call * 3 + thread);
                    if let Ok(permit) = Adaptive::acquire(adaptive, now) {
                        let sample = permit.record(Outcome::Success, now + ms(1));
                        // Whatever was torn between threads, an average is one of latencies that were there.
                        if let Some(latency) = sample.and_then(|sample| sample.latency) {
                            assert!(
                                latency > ms(1) - Duration::from_nanos(65) && latency <= ms(1),
                                "{latency:?}"
                            );
                        }
                    }
                }
            });
        }
    });
    assert_eq!(adaptive.stats().in_flight, 0);
}

#[test]
fn an_edit_keeps_the_limit_within_the_new_bounds() {
    let now = start();
    let [(_, gradient), _, (_, vegas)] = algorithms();
    let adaptive = Adaptive::new(config(gradient).with_limits(1, 100, 500).unwrap(), 7, now);
    let permit = Adaptive::acquire(&adaptive, now).unwrap();
    adaptive.reconfigure(config(vegas), 7);
    assert_eq!(
        (adaptive.stats().limit, adaptive.stats().in_flight),
        (100, 1)
    );
    adaptive.reconfigure(config(vegas).with_limits(1, 10, 50).unwrap(), 7);
    assert_eq!(adaptive.stats().limit, 50);
    adaptive.reconfigure(config(vegas).with_limits(60, 60, 70).unwrap(), 7);
    assert_eq!(adaptive.stats().limit, 60);
    drop(permit);
}

#[test]
fn acquiring_and_recording_allocate_nothing() {
    let now = start();
    for (_, algorithm) in algorithms() {
        let adaptive = Adaptive::new(config(algorithm), 7, now);
        let run = || {
            for call in 0..10_000 {
                let now = now + ms(call);
                if let Ok(permit) = Adaptive::acquire(&adaptive, now) {
                    permit.record(Outcome::Success, now + ms(5));
                }
            }
        };
        assert_eq!(allocations(run), 0);
    }
}

#[test]
fn impossible_configurations_name_the_field() {
    let good = AdaptiveConfig::default();
    let fields = [
        good.with_limits(0, 1, 2),
        good.with_limits(2, 1, 3),
        good.with_limits(1, 1, u32::MAX),
        good.with_window(Duration::ZERO, 1),
        good.with_window(ms(1), 0),
        good.with_overload_share(f64::NAN),
        AdaptiveConfig::new(Algorithm::Gradient(Gradient {
            smoothing: f64::NAN,
            ..Gradient::default()
        })),
        AdaptiveConfig::new(Algorithm::Gradient(Gradient {
            tolerance: 0.5,
            ..Gradient::default()
        })),
        AdaptiveConfig::new(Algorithm::Aimd(Aimd {
            backoff: 1.0,
            ..Aimd::default()
        })),
        AdaptiveConfig::new(Algorithm::Vegas(Vegas {
            probe: 0,
            ..Vegas::default()
        })),
    ]
    .map(|config| config.unwrap_err().field);
    insta::assert_snapshot!(fields.join(" "), @"min initial max window min_samples overload_share smoothing tolerance backoff probe");
}
