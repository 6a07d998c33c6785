//! Load shedding: what it sheds, in which order, and when it stops.

use std::fmt::Write;
use std::time::{Duration, Instant};

use fastrand::Rng;
use guildhall_resilience::shed::{Criticality, DelayShed, DelayShedConfig, Reserve, Shed};
use guildhall_resilience::{Pattern, Rejection};
use proptest::prelude::*;

use crate::alloc::allocations;

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

#[expect(clippy::disallowed_methods, reason = "tests begin at any time")]
fn start() -> Instant {
    Instant::now()
}

/// Of a thousand requests of each class, how many go on.
fn admitted(shed: &DelayShed, now: Instant) -> [usize; 4] {
    let mut random = Rng::with_seed(7);
    Criticality::ALL.map(|class| {
        (0..1_000)
            .filter(|_| shed.admit(class, now, &mut random).is_ok())
            .count()
    })
}

#[test]
fn pressure_by_intervals_of_long_and_short_delays() {
    let mut now = start();
    let shed = DelayShed::new(DelayShedConfig::default(), now);
    let mut table = String::new();
    let kinds: [(&str, &[u64], u64); 8] = [
        ("nobody queues", &[], 3),
        ("all wait 4 ms", &[4], 3),
        ("one of them does not wait", &[900, 0, 900], 3),
        ("all wait 6 ms", &[6], 4),
        ("all wait 6 ms, on", &[6, 7], 8),
        ("all wait 6 ms, for ever", &[20], 30),
        ("short again", &[1], 16),
        ("a pause of two seconds", &[], 20),
    ];
    for (kind, delays, intervals) in kinds {
        for _ in 0..intervals {
            for delay in delays {
                shed.record(ms(*delay), now);
            }
            now += ms(100);
        }
        writeln!(
            table,
            "{kind:<26} × {intervals:>2} | pressure {:.2} | of 1000 go on {:?}",
            shed.pressure(now),
            admitted(&shed, now)
        )
        .unwrap();
    }
    insta::assert_snapshot!(table);
}

/// The least delays of all intervals, and the pressure in sixteenths of classes from them.
fn model(delays: &[(u64, u64)], until: u64) -> u64 {
    let interval_of = |at: u64| at / 100;
    let mut pressure: i64 = 0;
    for interval in 0..interval_of(until) {
        let least = delays
            .iter()
            .filter(|(at, _)| interval_of(*at) == interval)
            .map(|(_, delay)| *delay)
            .min();
        pressure += if least.is_some_and(|least| least > 5) {
            4
        } else {
            -1
        };
        pressure = pressure.clamp(0, 63);
    }
    pressure as u64
}

proptest! {
    #[test]
    fn pressure_follows_the_least_delays(steps in prop::collection::vec((0..150u64, 0..12u64), 1..100)) {
        let origin = start();
        let shed = DelayShed::new(DelayShedConfig::default(), origin);
        let (mut at, mut delays) = (0, Vec::new());
        for (gap, delay) in steps {
            at += gap;
            delays.push((at, delay));
            shed.record(ms(delay), origin + ms(at));
            let expect = model(&delays, at) as f64 / 63.0;
            prop_assert_eq!(shed.pressure(origin + ms(at)), expect);
            let later = at + 700;
            prop_assert_eq!(shed.pressure(origin + ms(later)), model(&delays, later) as f64 / 63.0);
        }
    }

    #[test]
    fn what_matters_more_is_shed_less(overloaded in 0..40u64) {
        let mut now = start();
        let shed = DelayShed::new(DelayShedConfig::default(), now);
        for _ in 0..overloaded {
            shed.record(ms(50), now);
            now += ms(100);
        }
        let admitted = admitted(&shed, now);
        prop_assert!(admitted.is_sorted(), "{admitted:?}");
        // At most one class is shed in part, and somebody always gets through.
        prop_assert!(admitted.iter().filter(|count| **count % 1_000 != 0).count() <= 1);
        prop_assert!(admitted[3] > 0);
    }
}

#[test]
fn an_earlier_now_changes_nothing() {
    let now = start();
    let shed = DelayShed::new(DelayShedConfig::default(), now);
    for interval in 0..8 {
        shed.record(ms(20), now + ms(interval * 100));
    }
    let before = shed.pressure(now + ms(700));
    shed.record(ms(20), now);
    assert_eq!(shed.pressure(now), before);
    assert_eq!(shed.pressure(now + ms(700)), before);
}

#[test]
fn an_edit_keeps_the_pressure() {
    let now = start();
    let shed = DelayShed::new(DelayShedConfig::default(), now);
    for interval in 0..8 {
        shed.record(ms(20), now + ms(interval * 100));
    }
    let later = now + ms(800);
    let before = shed.pressure(later);
    assert!(before > 0.4);
    shed.reconfigure(DelayShedConfig::new(ms(50), ms(1_000)).unwrap(), later);
    assert_eq!(shed.pressure(later), before);
    shed.record(ms(40), later);
    assert!(shed.pressure(later + ms(1_000)) < before);
}

#[test]
fn a_refusal_says_when_the_pressure_may_be_lower() {
    let now = start();
    let shed = DelayShed::new(DelayShedConfig::default(), now);
    for interval in 0..10 {
        shed.record(ms(20), now + ms(interval * 100));
    }
    let refused = shed
        .admit(
            Criticality::Sheddable,
            now + ms(1_030),
            &mut Rng::with_seed(7),
        )
        .unwrap_err();
    assert_eq!(
        Rejection::from(refused),
        Rejection {
            by: Pattern::Shed,
            retry_after: Some(ms(70))
        }
    );
}

#[test]
fn deciding_allocates_nothing() {
    let now = start();
    let shed = DelayShed::new(DelayShedConfig::default(), now);
    let mut random = Rng::with_seed(7);
    let run = || {
        for call in 0..1_000 {
            let now = now + ms(call * 10);
            shed.record(ms(20), now);
            let _ = shed.admit(Criticality::Sheddable, now, &mut random);
        }
    };
    assert_eq!(allocations(run), 0);
}

#[test]
fn reserves_are_kept_class_by_class() {
    let reserve = Reserve::default();
    let mut table = String::new();
    for utilisation in [0.0, 0.49, 0.5, 0.69, 0.7, 0.89, 0.9, 0.99, 1.0, 2.0] {
        let of = |class| {
            if reserve.admit(class, utilisation).is_ok() {
                "goes"
            } else {
                "shed"
            }
        };
        writeln!(table, "{utilisation:<4} {:?}", Criticality::ALL.map(of)).unwrap();
    }
    insta::assert_snapshot!(table);
}

#[test]
fn impossible_configurations_are_refused() {
    assert!(Reserve::new([0.5, 0.4, 0.9, 1.0]).is_err());
    assert!(Reserve::new([0.0, 0.4, 0.9, 1.0]).is_err());
    assert!(Reserve::new([0.1, 0.4, 0.9, f64::NAN]).is_err());
    assert!(DelayShedConfig::new(ms(5), ms(5)).is_err());
    assert!(DelayShedConfig::new(Duration::ZERO, ms(5)).is_err());
    assert!(DelayShedConfig::new(ms(60_000), ms(70_000)).is_err());
}

#[test]
fn classes_have_names() {
    for class in Criticality::ALL {
        assert_eq!(Criticality::from_name(class.name()), Some(class));
    }
    assert_eq!(Criticality::from_name("important"), None);
    let shed = Shed {
        criticality: Criticality::default(),
        retry_after: None,
    };
    assert_eq!(
        shed.to_string(),
        "shed: there is too much to do for critical requests"
    );
}
