//! Choices among fleets that are partly tried, ejected, near, new or slow.

use std::{collections::BTreeMap, time::Duration};

use guildhall_core::policy::compile::KeyedBy;
use guildhall_resilience::{balance::PeakEwmaConfig, outlier::Config};

use super::*;
use crate::clock;

/// Endpoints of these ids, near or not, there since `since`.
fn fleet(ids: &[(&str, bool)], since: Instant) -> Arc<Endpoints> {
    let list = ids.iter().map(|(id, near)| Placed {
        endpoint: Arc::new(Endpoint::new(id, "127.0.0.1:80".parse().unwrap(), since)),
        weight: 1,
        near: *near,
    });
    Arc::new(Endpoints {
        list: list.collect(),
        ..Endpoints::default()
    })
}

fn rule(algorithm: Algorithm) -> BalanceRule {
    BalanceRule {
        algorithm,
        hash_on: KeyedBy::SourceIp,
        ewma: PeakEwmaConfig::default(),
        slow_start: SlowStart::default(),
        zone: None,
        panic: PanicThreshold::default(),
    }
}

struct Test {
    balancing: Balancing,
    random: Rng,
    now: Instant,
}

impl Test {
    fn new(rule: Option<BalanceRule>, config: Option<Config>) -> Self {
        let now = clock::now();
        let outlier = config.map(|config| Arc::new(Outlier::new(config, now).unwrap()));
        Self {
            balancing: Balancing::by(rule, outlier),
            random: Rng::with_seed(7),
            now,
        }
    }

    fn pick(&mut self, endpoints: &Arc<Endpoints>, tried: &Tried) -> Option<Picked> {
        let Self {
            balancing,
            random,
            now,
        } = self;
        balancing.pick(endpoints, tried, |_| 0, random, *now)
    }

    /// How often each is picked of `times`, by calls that are over at once.
    fn shares(&mut self, endpoints: &Arc<Endpoints>, times: u32) -> BTreeMap<String, u32> {
        let mut shares = BTreeMap::new();
        for _ in 0..times {
            let picked = self.pick(endpoints, &Tried::default()).unwrap();
            *shares.entry(picked.endpoint.id.clone()).or_default() += 1;
        }
        shares
    }

    /// Has an endpoint fail so often that it is ejected.
    fn eject(&mut self, endpoints: &Arc<Endpoints>, id: &str) {
        let mut failures = 0;
        while failures < 5 {
            let picked = self.pick(endpoints, &Tried::default()).unwrap();
            if picked.endpoint.id == id {
                picked.end("users", Observed::Failure, self.now);
                failures += 1;
            }
        }
    }
}

#[test]
fn one_that_was_tried_comes_again_only_when_there_is_no_other() {
    let mut test = Test::new(None, None);
    let endpoints = fleet(&[("a", false), ("b", false), ("c", false)], test.now);
    let tried = Tried::default();
    let mut seen = Vec::new();
    for _ in 0..3 {
        seen.push(test.pick(&endpoints, &tried).unwrap().endpoint.id.clone());
    }
    seen.sort_unstable();
    assert_eq!(seen, ["a", "b", "c"]);
    assert!(test.pick(&endpoints, &tried).is_some());
    assert!(test.pick(&fleet(&[], test.now), &tried).is_none());
}

#[test]
fn what_is_under_way_is_balanced_and_ends_with_the_attempt() {
    let mut test = Test::new(None, None);
    let endpoints = fleet(&[("a", false), ("b", false)], test.now);
    let busy = test.pick(&endpoints, &Tried::default()).unwrap();
    for _ in 0..20 {
        let other = test.pick(&endpoints, &Tried::default()).unwrap();
        assert_ne!(other.endpoint.id, busy.endpoint.id);
    }
    let endpoint = busy.endpoint.clone();
    assert_eq!(endpoint.calls(), 1);
    drop(busy);
    assert_eq!(endpoint.calls(), 0);
}

#[test]
fn the_own_zone_is_preferred_and_left_as_far_as_it_cannot_bear_it() {
    let zones = [("a", true), ("b", false)];
    let mut usual = Test::new(None, None);
    let endpoints = fleet(&zones, usual.now);
    assert_eq!(
        usual.shares(&endpoints, 50),
        BTreeMap::from([("a".to_owned(), 50)])
    );

    let zoned = BalanceRule {
        zone: Some(ZonePreference::default()),
        ..rule(Algorithm::LeastRequest)
    };
    let mut test = Test::new(Some(zoned), Some(Config::default()));
    let zones = [("a", true), ("b", true), ("c", false), ("d", false)];
    let endpoints = fleet(&zones, test.now);
    let shares = test.shares(&endpoints, 100);
    assert!(
        !shares.contains_key("c") && !shares.contains_key("d"),
        "{shares:?}"
    );
    // Of two, one is left: 0.7 of the calls stay.
    test.eject(&endpoints, "a");
    let shares = test.shares(&endpoints, 1_000);
    assert!(
        (600..800).contains(&shares["b"]) && !shares.contains_key("a"),
        "{shares:?}"
    );
}

#[test]
fn what_is_ejected_is_left_out_until_too_much_is() {
    let half = Config {
        max_ejected_share: 1.0,
        ..Config::default()
    };
    let mut test = Test::new(None, Some(half));
    let endpoints = fleet(&[("a", false), ("b", false), ("c", false)], test.now);
    test.eject(&endpoints, "a");
    assert!(!test.shares(&endpoints, 100).contains_key("a"));
    // A change of the fleet readmits nobody.
    let mut more = Endpoints {
        list: endpoints.list.clone(),
        ..Endpoints::default()
    };
    more.list
        .extend(fleet(&[("d", false)], test.now).list.clone());
    let endpoints = Arc::new(more);
    assert!(!test.shares(&endpoints, 100).contains_key("a"));
    test.eject(&endpoints, "b");
    test.eject(&endpoints, "c");
    // One of four is fewer than half: ejections are not believed any more.
    assert_eq!(test.shares(&endpoints, 200).len(), 4);
}

#[test]
fn what_is_new_gets_its_share_by_and_by() {
    let slow_start = SlowStart {
        window: Duration::from_secs(60),
        ..SlowStart::default()
    };
    let mut test = Test::new(
        Some(BalanceRule {
            slow_start,
            ..rule(Algorithm::Random)
        }),
        None,
    );
    let old = test
        .now
        .checked_sub(Duration::from_secs(600))
        .unwrap_or(test.now);
    let mut list = fleet(&[("old", false)], old).list.clone();
    list.extend(fleet(&[("new", false)], test.now).list.clone());
    let endpoints = Arc::new(Endpoints {
        list,
        ..Endpoints::default()
    });
    let young = test.shares(&endpoints, 1_000)["new"];
    assert!((50..150).contains(&young), "{young}");
    test.now += Duration::from_secs(60);
    let grown = test.shares(&endpoints, 1_000)["new"];
    assert!((400..600).contains(&grown), "{grown}");
}

#[test]
fn the_quicker_one_is_preferred_by_latency() {
    let mut test = Test::new(Some(rule(Algorithm::PeakEwma)), None);
    let endpoints = fleet(&[("slow", false), ("quick", false)], test.now);
    for _ in 0..20 {
        let picked = test.pick(&endpoints, &Tried::default()).unwrap();
        let took = if picked.endpoint.id == "slow" { 900 } else { 2 };
        picked.end(
            "users",
            Observed::Success,
            test.now + Duration::from_millis(took),
        );
    }
    let shares = test.shares(&endpoints, 100);
    assert!(shares["quick"] > 95, "{shares:?}");
}

#[test]
fn turns_and_latencies_go_on_under_other_policies() {
    let mut test = Test::new(Some(rule(Algorithm::RoundRobin)), None);
    let endpoints = fleet(&[("a", false), ("b", false), ("c", false)], test.now);
    let turn = |test: &mut Test| {
        let picked = test.pick(&endpoints, &Tried::default()).unwrap();
        picked.endpoint.id.clone()
    };
    assert_eq!([turn(&mut test), turn(&mut test)], ["a", "b"]);
    let before = test.balancing.held().clone();
    test.balancing = Balancing {
        before,
        ..Balancing::by(Some(rule(Algorithm::RoundRobin)), None)
    };
    assert_eq!([turn(&mut test), turn(&mut test)], ["c", "a"]);

    let endpoint = &endpoints.list[0].endpoint;
    let slow = PeakEwmaConfig {
        decay: Duration::ZERO,
        ..PeakEwmaConfig::default()
    };
    let usual = endpoint.latency(PeakEwmaConfig::default(), test.now);
    usual.record(Duration::from_millis(700), test.now);
    let latency = endpoint.latency(slow, test.now).latency(test.now);
    assert_eq!(latency, Duration::from_millis(700));
}
