//! Shares by weight: random, round robin, slow start, zones, panic; and one enum over all of them.

use std::time::Duration;

use fastrand::Rng;
use guildhall_resilience::balance::{
    Algorithm, Balancer, Candidate, MaglevSize, PanicThreshold, Random, RingConfig, RoundRobin,
    SlowStart, ZonePreference, Zoned,
};
use proptest::prelude::*;

use super::{assert_shares, names, spread};
use crate::alloc::allocations;

#[test]
fn random_shares_by_weight() {
    let balancer = Random::new([1, 3, 0, 6]);
    let mut random = Rng::with_seed(1);
    let picked = spread(4, 50_000, |_| balancer.pick(&mut random, |_| true));
    assert_eq!(picked[2], 0);
    assert_shares(&picked, &[0.1, 0.3, 0.0, 0.6], 0.01);
}

#[test]
fn random_shares_by_weight_among_the_few_that_are_eligible() {
    // 98 of 100 are out and nearly all draws miss: the rest still share 1 to 3.
    let balancer = Random::new((0..100).map(|place| if place == 7 { 3 } else { 1 }));
    let mut random = Rng::with_seed(2);
    let eligible = |place| place == 7 || place == 50;
    let picked = spread(100, 20_000, |_| balancer.pick(&mut random, eligible));
    assert_shares(&[picked[50], picked[7]], &[0.25, 0.75], 0.015);
    assert_eq!(picked[50] + picked[7], 20_000);
}

#[test]
fn nginx_sequences() {
    let turns = |weights: &[u32]| -> String {
        let balancer = RoundRobin::new(weights.iter().copied());
        let length = weights.iter().sum::<u32>().min(16);
        let picks = (0..length).filter_map(|_| balancer.pick(|_| true));
        picks.map(|place| char::from(b'a' + place as u8)).collect()
    };
    // The first is the example of nginx's own commit message.
    let weights: [&[u32]; 6] = [&[5, 1, 1], &[1, 1, 1], &[4, 2], &[3, 2, 1], &[7, 0, 1], &[]];
    let all: Vec<String> = weights
        .iter()
        .map(|weights| format!("{weights:?} {}", turns(weights)))
        .collect();
    insta::assert_snapshot!(all.join("\n"), @r"
    [5, 1, 1] aabacaa
    [1, 1, 1] abc
    [4, 2] abaaba
    [3, 2, 1] abacba
    [7, 0, 1] aaaacaaa
    []
    ");
}

#[test]
fn a_turn_that_is_skipped_is_shared_by_weight() {
    // The share of `a` does not fall to whoever stands behind it in the sequence.
    let balancer = RoundRobin::new([4, 2, 1, 1]);
    let picked = spread(4, 4_000, |_| balancer.pick(|place| place != 0));
    assert_eq!(picked, [0, 2_000, 1_000, 1_000]);
    assert_eq!(balancer.pick(|_| false), None);
}

#[test]
fn turns_go_on_in_the_balancer_that_replaces_another() {
    let ten = names(10);
    let candidates: Vec<Candidate<'_>> = ten
        .iter()
        .map(|name| Candidate {
            key: name.as_bytes(),
            weight: 1,
        })
        .collect();
    let mut random = Rng::with_seed(3);
    let mut balancer = Balancer::new(Algorithm::RoundRobin, &candidates);
    let mut picked = [0; 10];
    for _ in 0..1_000 {
        // Rebuilt at every request, it would send all of them to the first if the position were lost.
        balancer = balancer.rebuilt(Algorithm::RoundRobin, &candidates);
        picked[balancer.pick(0, &mut random, |_| 0, |_| true).unwrap()] += 1;
    }
    assert_eq!(picked, [100; 10]);
}

proptest! {
    /// Over one period an endpoint's turns differ from its share by at most one: exact below the sequence's limit,
    /// and rounded to it above.
    #[test]
    fn turns_are_in_proportion(weights in prop::collection::vec(0u32..200, 1..12)) {
        let total: u32 = weights.iter().sum();
        prop_assume!(total > 0 && total < 4_096);
        let balancer = RoundRobin::new(weights.iter().copied());
        let picked = spread(weights.len(), total as usize, |_| balancer.pick(|_| true));
        let expected: Vec<usize> = weights.iter().map(|weight| *weight as usize).collect();
        prop_assert_eq!(picked, expected);
    }

    /// Smooth: at any moment nobody is further than one turn (and a bit, as nginx's is) from its due.
    #[test]
    fn turns_are_smooth(weights in prop::collection::vec(1u32..20, 2..8)) {
        let total: u32 = weights.iter().sum();
        let balancer = RoundRobin::new(weights.iter().copied());
        let mut picked = vec![0f64; weights.len()];
        for turn in 1..=total {
            picked[balancer.pick(|_| true).unwrap()] += 1.0;
            for (got, weight) in picked.iter().zip(&weights) {
                let due = f64::from(turn) * f64::from(*weight) / f64::from(total);
                prop_assert!((got - due).abs() < 2.0, "{weights:?}: {got} of {due} after {turn}");
            }
        }
    }

    #[test]
    fn large_weights_are_rounded_to_the_sequence(weights in prop::collection::vec(1u32..1_000_000, 2..6)) {
        let total: f64 = weights.iter().map(|weight| f64::from(*weight)).sum();
        let balancer = RoundRobin::new(weights.iter().copied());
        let picked = spread(weights.len(), 40_960, |_| balancer.pick(|_| true));
        for (got, weight) in picked.iter().zip(&weights) {
            let due = f64::from(*weight) / total;
            prop_assert!((*got as f64 / 40_960.0 - due).abs() < 0.002, "{weights:?}: {picked:?}");
        }
    }
}

#[test]
fn slow_start_follows_envoys_curve() {
    let curve = |aggression: f64, minimum: f64| -> String {
        let slow_start = SlowStart {
            window: Duration::from_secs(100),
            aggression,
            minimum,
        };
        let weights = [0, 1, 10, 25, 50, 75, 99, 100, 1_000]
            .map(|age| slow_start.weight(1, Duration::from_secs(age)).to_string());
        format!(
            "aggression {aggression}, minimum {minimum}: {}",
            weights.join(" ")
        )
    };
    insta::assert_snapshot!(
        [curve(1.0, 0.1), curve(2.0, 0.1), curve(0.5, 0.1), curve(1.0, 0.0), curve(f64::NAN, 7.0)].join("\n"),
        @r"
    aggression 1, minimum 0.1: 10 10 10 25 50 75 99 100 100
    aggression 2, minimum 0.1: 10 10 32 50 71 87 99 100 100
    aggression 0.5, minimum 0.1: 10 10 10 10 25 56 98 100 100
    aggression 1, minimum 0: 1 1 10 25 50 75 99 100 100
    aggression NaN, minimum 7: 100 100 100 100 100 100 100 100 100
    "
    );
    let none = SlowStart::default();
    assert_eq!(
        (
            none.weight(3, Duration::ZERO),
            none.weight(0, Duration::ZERO)
        ),
        (300, 0)
    );
    assert!(!none.is_growing(Duration::ZERO));
}

#[test]
fn panic_disregards_health_below_the_threshold() {
    let table: Vec<String> = [0.0, 50.0, 100.0, 400.0]
        .map(|percent| {
            let panics =
                [0, 1, 2, 3, 4].map(|healthy| PanicThreshold::new(percent).is_panic(healthy, 4));
            format!("{percent}% of 4: {panics:?}")
        })
        .into();
    insta::assert_snapshot!(table.join("\n"), @r"
    0% of 4: [false, false, false, false, false]
    50% of 4: [true, true, false, false, false]
    100% of 4: [true, true, true, true, false]
    400% of 4: [true, true, true, true, false]
    ");
    assert!(!PanicThreshold::default().is_panic(0, 0));
}

#[test]
fn a_zone_keeps_what_its_healthy_endpoints_bear() {
    let shares = [0, 1, 5, 6, 7, 8, 10].map(|healthy| ZonePreference::default().share(healthy, 10));
    insta::assert_snapshot!(format!("{shares:.2?}"), @"[0.00, 0.14, 0.70, 0.84, 0.98, 1.00, 1.00]");
    assert_eq!(ZonePreference::default().share(0, 0), 0.0);

    let all = names(4);
    let candidates: Vec<Candidate<'_>> = all
        .iter()
        .map(|name| Candidate {
            key: name.as_bytes(),
            weight: 1,
        })
        .collect();
    for algorithm in [
        Algorithm::LeastRequest,
        Algorithm::RoundRobin,
        Algorithm::Random,
    ] {
        let zoned = Zoned::new(algorithm, &candidates, |place| place < 2);
        let mut random = Rng::with_seed(4);
        // One of two near ones is out: 70% stay, all of them with the one that is left.
        let share = ZonePreference::default().share(1, 2);
        let picked = spread(4, 20_000, |hash| {
            zoned.pick(share, hash, &mut random, |_| 0, |place| place != 1)
        });
        assert_shares(&picked, &[0.7, 0.0, 0.15, 0.15], 0.015);
        // Both are out: what was to stay goes as well.
        let picked = spread(4, 1_000, |hash| {
            zoned.pick(1.0, hash, &mut random, |_| 0, |place| place > 1)
        });
        assert_eq!(picked[2] + picked[3], 1_000);
    }
}

const ALL: [Algorithm; 7] = [
    Algorithm::LeastRequest,
    Algorithm::PeakEwma,
    Algorithm::RoundRobin,
    Algorithm::Random,
    Algorithm::RingHash(RingConfig {
        points: 160,
        bound: None,
    }),
    Algorithm::RingHash(RingConfig {
        points: 160,
        bound: Some(1.25),
    }),
    Algorithm::Maglev(MaglevSize::Medium),
];

#[test]
fn every_algorithm_is_even_finds_the_eligible_and_allocates_nothing() {
    let all = names(10);
    let mut candidates: Vec<Candidate<'_>> = all
        .iter()
        .map(|name| Candidate {
            key: name.as_bytes(),
            weight: 1,
        })
        .collect();
    candidates[9].weight = 0;
    for algorithm in ALL {
        let balancer = Balancer::new(algorithm, &candidates);
        let mut random = Rng::with_seed(5);
        let picked = spread(10, 50_000, |hash| {
            balancer.pick(hash, &mut random, |_| 0, |_| true)
        });
        assert_eq!(picked[9], 0, "{algorithm:?}");
        // A ring of 160 points each is uneven by nature; the others are not.
        let tolerance = if matches!(algorithm, Algorithm::RingHash(_)) {
            0.03
        } else {
            0.01
        };
        assert_shares(&picked[..9], &[1.0 / 9.0; 9], tolerance);

        for only in 0..9 {
            let pick = balancer.pick(random.u64(..), &mut random, |_| 0, |place| place == only);
            assert_eq!(pick, Some(only), "{algorithm:?}");
        }
        assert_eq!(
            balancer.pick(1, &mut random, |_| 0, |_| false),
            None,
            "{algorithm:?}"
        );
        assert_eq!(
            balancer.pick(1, &mut random, |_| 0, |place| place == 9),
            None,
            "{algorithm:?}"
        );
        let count = allocations(|| {
            for hash in 0..100 {
                balancer.pick(hash, &mut random, |_| 0, |place| place != 3);
            }
        });
        assert_eq!(count, 0, "{algorithm:?}");

        let empty = Balancer::new(algorithm, &[]);
        assert_eq!(
            empty.pick(1, &mut random, |_| 0, |_| true),
            None,
            "{algorithm:?}"
        );
    }
}
