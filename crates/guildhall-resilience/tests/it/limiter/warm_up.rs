//! Warm-up against the area under its curve, added up in small steps.

use std::time::Duration;

use guildhall_resilience::limiter::{WarmUp, WarmUpConfig};
use proptest::prelude::*;

use super::{ms, quota, start};

fn config(per_second: u32, warm_up: Duration) -> WarmUpConfig {
    WarmUpConfig::new(quota(per_second, ms(1_000), 1), warm_up).unwrap()
}

/// The curve, naively: permits one by one in thousand slices each.
struct Model {
    stable: f64,
    cold: f64,
    threshold: f64,
    most: f64,
    stored: f64,
}

impl Model {
    fn new(per_second: f64, warm_up: f64, factor: f64) -> Self {
        let stable = 1.0 / per_second;
        let threshold = warm_up / stable / 2.0;
        let most = threshold + 2.0 * warm_up / (stable * (1.0 + factor));
        Self {
            stable,
            cold: stable * factor,
            threshold,
            most,
            stored: most,
        }
    }

    fn idle(&mut self, seconds: f64, warm_up: f64) {
        self.stored = (self.stored + seconds * self.most / warm_up).min(self.most);
    }

    /// Seconds of one permit.
    fn take(&mut self) -> f64 {
        let slice = 1e-3;
        (0..1_000)
            .map(|_| {
                let above = (self.stored - slice / 2.0 - self.threshold).max(0.0);
                let share = above / (self.most - self.threshold);
                self.stored = (self.stored - slice).max(0.0);
                slice * (self.stable + share * (self.cold - self.stable))
            })
            .sum()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn a_permit_costs_its_area_under_the_curve(
        per_second in 1..1_000u32,
        warm_up in 1..20u64,
        factor in 2..6u32,
        idle in prop::collection::vec(0..10u64, 1..60),
    ) {
        let config = config(per_second, ms(warm_up * 1_000)).with_cold_factor(f64::from(factor)).unwrap();
        let mut now = start();
        let limiter = WarmUp::new(config.with_max_wait(ms(1_000_000)), now);
        let mut model = Model::new(f64::from(per_second), warm_up as f64, f64::from(factor));
        for idle in idle {
            // Half of the requests come back to back.
            let pause = idle.saturating_sub(5) as f64 * 0.1;
            now += Duration::from_secs_f64(pause);
            model.idle(pause, warm_up as f64);
            let turn = limiter.take(now).unwrap();
            prop_assert_eq!(turn.wait, Duration::ZERO);
            // The next one would wait for what this one cost.
            let cost = limiter.take_n(0, now).unwrap().wait.as_secs_f64();
            let expect = model.take();
            prop_assert!((cost - expect).abs() < expect * 0.01 + 1e-6, "{cost} where {expect} was expected");
            now += Duration::from_secs_f64(cost) + Duration::from_nanos(2);
        }
    }
}

#[test]
fn it_warms_up_within_its_time_at_full_use() {
    let origin = start();
    let limiter = WarmUp::new(config(100, ms(10_000)), origin);
    assert_eq!(limiter.coldness(origin), 1.0);
    let mut now = origin;
    while limiter.coldness(now) > 0.0 {
        match limiter.take(now) {
            Ok(_) => {}
            Err(limited) => now += limited.retry_after.unwrap(),
        }
    }
    let took = now - origin;
    assert!(took > ms(9_900) && took < ms(10_100), "{took:?}");
}

#[test]
fn a_warm_one_lets_the_whole_rate_through_and_cools_down_when_idle() {
    let mut now = start();
    let limiter = WarmUp::new(config(100, ms(1_000)), now);
    let second = |now: &mut std::time::Instant| {
        let end = *now + ms(1_000);
        let mut admitted = 0;
        while *now < end {
            admitted += u32::from(limiter.take(*now).is_ok());
            *now += ms(1);
        }
        admitted
    };
    let cold = second(&mut now);
    let warm = second(&mut now);
    let warmer = second(&mut now);
    assert!(cold < 60, "{cold}");
    assert!(warm > cold && warmer >= 90, "{warm} {warmer}");
    now += ms(1_000);
    assert!(limiter.coldness(now) > 0.99);
}

#[test]
fn an_edit_keeps_how_cold_it_is() {
    let mut now = start();
    let limiter = WarmUp::new(config(100, ms(10_000)), now);
    for _ in 0..50 {
        now += ms(30);
        let _ = limiter.take(now);
    }
    let before = limiter.coldness(now);
    limiter.reconfigure(config(1_000, ms(5_000)), now);
    assert!((limiter.coldness(now) - before).abs() < 0.02);
}

#[test]
fn an_earlier_now_changes_nothing() {
    let now = start();
    let limiter = WarmUp::new(config(10, ms(1_000)), now);
    assert!(limiter.take(now + ms(5_000)).is_ok());
    assert!(limiter.take(now).is_err());
    assert_eq!(
        limiter
            .take(now + ms(5_000))
            .unwrap_err()
            .retry_after
            .map(|wait| wait > ms(200)),
        Some(true)
    );
}

#[test]
fn impossible_warm_ups_are_refused() {
    let quota = quota(10, ms(1_000), 1);
    assert!(WarmUpConfig::new(quota, Duration::ZERO).is_err());
    assert!(WarmUpConfig::new(quota, Duration::MAX).is_err());
    let config = config(10, ms(1_000));
    for factor in [f64::NAN, 1.0, 0.0, -1.0, f64::INFINITY] {
        assert!(config.with_cold_factor(factor).is_err(), "{factor}");
    }
}
