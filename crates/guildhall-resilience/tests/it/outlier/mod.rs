//! Outlier ejection: each rule, the times, the limits, and a set that changes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use guildhall_resilience::Outcome;
use guildhall_resilience::balance::P2c;
use guildhall_resilience::outlier::{
    Config, Endpoint, Event, FailurePercentage, Observed, Outlier, Reason, SuccessRate,
};
use proptest::prelude::*;

use crate::alloc::allocations;

/// A set of so many endpoints, known by number.
struct Set {
    outlier: Outlier<usize>,
    endpoints: Vec<Arc<Endpoint<usize>>>,
    now: Instant,
}

impl Set {
    fn new(count: usize, config: Config) -> Self {
        #[expect(clippy::disallowed_methods, reason = "some instant to begin with")]
        let now = Instant::now();
        let outlier = Outlier::new(config, now).unwrap();
        let endpoints = outlier.members(0..count, now);
        Self {
            outlier,
            endpoints,
            now,
        }
    }

    fn pass(&mut self, seconds: u64) -> &mut Self {
        self.now += Duration::from_secs(seconds);
        self
    }

    fn record(&self, at: usize, observed: Observed, count: usize) -> Vec<Event<usize>> {
        let endpoint = &self.endpoints[at];
        (0..count)
            .filter_map(|_| {
                self.outlier
                    .record(endpoint, endpoint.begin(), observed, self.now)
            })
            .collect()
    }

    fn ejected(&self) -> Vec<usize> {
        let ejected = |endpoint: &&Arc<Endpoint<usize>>| endpoint.is_ejected(self.now);
        let found = self.endpoints.iter().filter(ejected);
        found.map(|endpoint| *endpoint.key()).collect()
    }
}

fn ejected_for(endpoint: usize, failures: u32, seconds: u64) -> Vec<Event<usize>> {
    vec![Event::Ejected {
        endpoint,
        reason: Reason::ConsecutiveFailures { failures },
        lasts: Duration::from_secs(seconds),
    }]
}

fn without_rates() -> Config {
    Config {
        success_rate: None,
        ..Config::default()
    }
}

#[test]
fn failures_in_a_row_eject_and_a_success_between_them_does_not() {
    let set = Set::new(10, Config::default());
    set.record(3, Observed::Failure, 4);
    set.record(3, Observed::Ignored, 4);
    assert!(set.record(3, Observed::Success, 1).is_empty());
    assert!(set.record(3, Observed::Failure, 4).is_empty());
    assert_eq!(
        set.record(3, Observed::GatewayFailure, 9),
        ejected_for(3, 5, 30)
    );
    assert_eq!(set.ejected(), [3]);
    assert_eq!(set.outlier.ejected(set.now), (1, 10));
}

#[test]
fn gateway_failures_are_counted_on_their_own() {
    let config = Config {
        consecutive_failures: None,
        consecutive_gateway_failures: Some(3),
        ..Config::default()
    };
    let set = Set::new(10, config);
    for observed in [Observed::Failure, Observed::Success] {
        set.record(0, Observed::GatewayFailure, 2);
        assert!(set.record(0, observed, 1).is_empty());
    }
    assert!(set.record(0, Observed::Failure, 100).is_empty());
    let events = set.record(0, Observed::GatewayFailure, 3);
    let Some(Event::Ejected { reason, .. }) = events.first() else {
        panic!("{events:?}");
    };
    assert_eq!(*reason, Reason::ConsecutiveGatewayFailures { failures: 3 });
}

#[test]
fn statuses_and_lost_connections_are_told_apart() {
    let check = |outcome, status, expect| assert_eq!(Observed::new(outcome, status), expect);
    check(Outcome::Failure, Some(500), Observed::Failure);
    check(Outcome::Failure, Some(503), Observed::GatewayFailure);
    check(Outcome::Failure, None, Observed::GatewayFailure);
    check(Outcome::Success, Some(404), Observed::Success);
    check(Outcome::Ignored, Some(429), Observed::Ignored);
}

#[test]
fn the_ejected_are_probed_back_by_time_alone() {
    let mut set = Set::new(2, Config::default());
    set.record(1, Observed::Failure, 5);
    let balancer = P2c::new([1, 1]);
    let mut random = fastrand::Rng::with_seed(3);
    let mut picks = |set: &Set| {
        let eligible = |at: usize| !set.endpoints[at].is_ejected(set.now);
        (0..100)
            .filter(|_| balancer.pick(&mut random, |_| 0, eligible) == Some(1))
            .count()
    };
    assert_eq!(picks(set.pass(29)), 0);
    // Nobody has swept.
    assert!(picks(set.pass(1)) > 20);
    assert_eq!(set.endpoints[1].back_for(set.now), Some(Duration::ZERO));
    let returned = vec![Event::Returned { endpoint: 1 }];
    assert_eq!(set.record(1, Observed::Success, 2), returned, "told once");
    set.pass(7);
    assert_eq!(
        set.endpoints[1].back_for(set.now),
        Some(Duration::from_secs(7))
    );
    assert_eq!(set.endpoints[0].back_for(set.now), None);
}

#[test]
fn ejections_in_a_row_last_longer_and_are_forgotten_one_an_interval() {
    let mut set = Set::new(10, without_rates());
    for times in 1..=12 {
        let lasts = (30 * times).min(300);
        assert_eq!(
            set.record(0, Observed::Failure, 5),
            ejected_for(0, 5, lasts)
        );
        set.pass(lasts);
        assert_eq!(
            set.outlier.sweep(set.now),
            [Event::Returned { endpoint: 0 }]
        );
    }
    for _ in 0..10 {
        set.pass(10);
        assert!(set.outlier.sweep(set.now).is_empty());
    }
    assert_eq!(set.record(0, Observed::Failure, 5), ejected_for(0, 5, 90));
}

#[test]
fn only_a_share_is_ejected_and_never_the_last() {
    let set = Set::new(30, Config::default());
    let told: Vec<_> = (0..30)
        .flat_map(|at| set.record(at, Observed::Failure, 100))
        .collect();
    assert_eq!(set.ejected(), [0, 1, 2]);
    assert_eq!(told.len(), 30, "those that were kept are told once, too");
    for (count, expect) in [(1, 0), (2, 1), (3, 1)] {
        let set = Set::new(count, Config::default());
        (0..count).for_each(|at| drop(set.record(at, Observed::Failure, 5)));
        assert_eq!(set.ejected().len(), expect, "of {count}");
    }
    let whole = Config {
        max_ejected_share: 1.0,
        ..Config::default()
    };
    let set = Set::new(4, whole);
    (0..4).for_each(|at| drop(set.record(at, Observed::Failure, 5)));
    assert_eq!(set.ejected(), [0, 1, 2]);
}

#[test]
fn a_success_rate_far_below_the_others_ejects() {
    let config = Config {
        consecutive_failures: None,
        ..Config::default()
    };
    let set = Set::new(10, config);
    for at in 0..10 {
        set.record(at, Observed::Success, if at == 7 { 70 } else { 99 });
        set.record(at, Observed::Failure, if at == 7 { 30 } else { 1 });
    }
    let events = set.outlier.sweep(set.now);
    assert_eq!(set.ejected(), [7]);
    let Event::Ejected { reason, .. } = &events[0] else {
        panic!("{events:?}");
    };
    // Mean 0.961, deviation 0.087.
    assert_eq!(
        reason.to_string(),
        "a success rate of 0.700 where 0.796 is the least"
    );
    assert!(
        set.outlier.sweep(set.now).is_empty(),
        "the interval began anew"
    );
}

#[test]
fn too_few_hosts_or_requests_say_nothing_about_what_is_usual() {
    for (hosts, requests) in [(4, 100), (10, 99)] {
        let config = Config {
            consecutive_failures: None,
            success_rate: Some(SuccessRate {
                deviations: 0.1,
                ..SuccessRate::default()
            }),
            ..Config::default()
        };
        let set = Set::new(hosts, config);
        for at in 0..hosts {
            let observed = if at == 0 {
                Observed::Failure
            } else {
                Observed::Success
            };
            set.record(at, observed, requests);
        }
        assert!(set.outlier.sweep(set.now).is_empty());
    }
}

#[test]
fn a_failure_percentage_ejects_the_worst_first() {
    let config = Config {
        consecutive_failures: None,
        success_rate: None,
        failure_percentage: Some(FailurePercentage::default()),
        max_ejected_share: 0.2,
        ..Config::default()
    };
    let set = Set::new(10, config);
    for at in 0..10 {
        let failures = [85, 100, 84, 0, 90][at % 5];
        set.record(at, Observed::Failure, failures);
        set.record(at, Observed::Success, 100 - failures);
    }
    let events = set.outlier.sweep(set.now);
    let mut ejected = set.ejected();
    ejected.sort_unstable();
    assert_eq!(ejected, [1, 6]);
    let kept = events
        .iter()
        .filter(|event| matches!(event, Event::Kept { .. }));
    assert_eq!(kept.count(), 4);
}

#[test]
fn a_changed_set_keeps_the_state_of_its_endpoints() {
    let mut set = Set::new(10, without_rates());
    set.record(3, Observed::Failure, 5);
    set.record(4, Observed::Failure, 4);
    // A redeploy: 3 is away for a while, 4 stays, 11 is new.
    set.endpoints = set.outlier.members([4, 11], set.now);
    set.pass(10);
    assert!(set.outlier.sweep(set.now).is_empty());
    set.endpoints = set.outlier.members([3, 4, 11], set.now);
    assert_eq!(set.ejected(), [3]);
    set.pass(20);
    assert_eq!(
        set.record(1, Observed::Failure, 1),
        ejected_for(4, 5, 30),
        "of three one may be out"
    );
    // Away for longer than the longest ejection: forgotten.
    set.outlier.members([4], set.now);
    set.pass(301);
    set.outlier.sweep(set.now);
    set.endpoints = set.outlier.members([3, 4], set.now);
    assert_eq!(set.record(0, Observed::Failure, 5), ejected_for(3, 5, 30));
}

#[test]
fn a_request_from_before_the_ejection_says_nothing_after_it() {
    let mut set = Set::new(10, without_rates());
    let tickets: Vec<_> = (0..100).map(|_| set.endpoints[0].begin()).collect();
    set.record(0, Observed::Failure, 5);
    set.pass(30);
    let told: Vec<_> = tickets
        .into_iter()
        .filter_map(|ticket| {
            set.outlier
                .record(&set.endpoints[0], ticket, Observed::Failure, set.now)
        })
        .collect();
    assert_eq!(told, [Event::Returned { endpoint: 0 }]);
    assert!(set.ejected().is_empty());
}

#[test]
fn an_answer_allocates_nothing() {
    let set = Set::new(10, Config::default());
    for observed in [Observed::Success, Observed::Failure, Observed::Ignored] {
        let endpoint = &set.endpoints[0];
        let count = allocations(|| {
            for _ in 0..4 {
                set.outlier
                    .record(endpoint, endpoint.begin(), observed, set.now);
                let _ = endpoint.is_ejected(set.now);
            }
        });
        assert_eq!(count, 0);
    }
}

#[test]
fn an_edit_keeps_counts_and_ejections() {
    let mut set = Set::new(20, without_rates());
    set.record(0, Observed::Failure, 5);
    set.record(1, Observed::Failure, 2);
    let config = Config {
        consecutive_failures: Some(3),
        base_ejection: Duration::from_secs(1),
        ..without_rates()
    };
    set.outlier.reconfigure(config).unwrap();
    assert_eq!(set.record(1, Observed::Failure, 1), ejected_for(1, 3, 1));
    set.pass(29);
    assert_eq!(set.ejected(), [0]);
    let wrong = Config {
        max_ejected_share: 0.0,
        ..Config::default()
    };
    let error = set.outlier.reconfigure(wrong).unwrap_err();
    assert_eq!(
        error.to_string(),
        "max_ejected_share: a share over 0 and up to 1: a tenth is 0.1"
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    /// Consecutive failures against a model that is nothing but counters.
    #[test]
    fn it_ejects_whom_the_model_ejects(
        events in proptest::collection::vec((0..4usize, 0..3u8, 0..20u64), 1..400)
    ) {
        let mut set = Set::new(4, Config { max_ejected_share: 0.5, ..without_rates() });
        let start = set.now;
        // (failures in a row, ejections, until in seconds)
        let mut model = [(0u32, 0u64, 0u64); 4];
        let mut now = 0;
        for (at, observed, pass) in events {
            now += pass;
            set.now = start + Duration::from_secs(now);
            let out = model.iter().filter(|(_, _, until)| now < *until).count();
            let (failures, times, until) = &mut model[at];
            if now >= *until {
                if *until != 0 {
                    (*failures, *until) = (0, 0);
                }
                match observed {
                    0 => *failures = 0,
                    1 => *failures += 1,
                    _ => {}
                }
                if observed == 1 && *failures >= 5 && out < 2 {
                    *times += 1;
                    *until = now + (30 * *times).min(300);
                }
            }
            let observed = [Observed::Success, Observed::Failure, Observed::Ignored][observed as usize];
            set.record(at, observed, 1);
            let expect: Vec<usize> = (0..4).filter(|at| now < model[*at].2).collect();
            prop_assert_eq!(set.ejected(), expect);
        }
    }
}
