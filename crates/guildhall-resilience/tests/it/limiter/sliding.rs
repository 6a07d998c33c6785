//! The sliding window against its definition in rational numbers, and against a log of every request.

use std::time::Duration;

use guildhall_resilience::limiter::SlidingWindow;
use proptest::prelude::*;

use super::{ms, quota, start};

/// Windows in a map; the estimate as a fraction of the period.
#[derive(Default)]
struct Windows(std::collections::BTreeMap<u64, u64>);

impl Windows {
    /// The estimate times the period.
    fn estimate(&self, now: u64, period: u64) -> u64 {
        let (window, gone) = (now / period, now % period);
        let count =
            |window: Option<u64>| window.and_then(|at| self.0.get(&at)).copied().unwrap_or(0);
        count(Some(window)) * period + count(window.checked_sub(1)) * (period - gone)
    }
}

proptest! {
    #[test]
    fn it_is_the_weighted_count(
        period in 10..10_000u64,
        limit in 1..50u32,
        steps in prop::collection::vec((0..4_000u64, 1..12u32), 1..200),
    ) {
        let limit = limit.min(period as u32);
        let origin = start();
        let limiter = SlidingWindow::new(quota(limit, Duration::from_nanos(period), 1), origin);
        let mut model = Windows::default();
        let mut now = 0;
        for (thousandths, n) in steps {
            now += period * thousandths.saturating_sub(1_500) / 1_000;
            let at = origin + Duration::from_nanos(now);
            let fits = model.estimate(now, period) + u64::from(n) * period <= u64::from(limit) * period;
            let got = limiter.check_n(n, at);
            prop_assert_eq!(got.is_ok(), fits);
            if fits {
                *model.0.entry(now / period).or_default() += u64::from(n);
            } else {
                match got.unwrap_err().retry_after {
                    None => prop_assert!(n > limit),
                    Some(wait) => {
                        let early = model.estimate(now + wait.as_nanos() as u64 - 1, period);
                        let late = model.estimate(now + wait.as_nanos() as u64, period);
                        let room = u64::from(limit - n) * period;
                        prop_assert!(early > room && late <= room, "{wait:?}: {early} > {room} >= {late}");
                    }
                }
            }
            let left = (u64::from(limit) * period).saturating_sub(model.estimate(now, period)) / period;
            prop_assert_eq!(u64::from(limiter.status(at).remaining), left);
        }
    }

    /// No window that slides holds more than twice the limit (the worst case of the estimate), and evenly spread
    /// requests get the limit.
    #[test]
    fn no_window_holds_twice_the_limit(limit in 1..20u32, gaps in prop::collection::vec(0..400u64, 1..300)) {
        let origin = start();
        let limiter = SlidingWindow::new(quota(limit, ms(1_000), 1), origin);
        let (mut now, mut admitted) = (0, Vec::new());
        for gap in gaps {
            now += gap;
            if limiter.check(origin + ms(now)).is_ok() {
                admitted.push(now);
            }
            let within = admitted.iter().filter(|at| **at + 1_000 > now).count();
            prop_assert!(within < 2 * limit as usize + 1);
        }
    }
}

#[test]
fn a_full_window_does_not_let_a_second_burst_through_at_its_edge() {
    let now = start();
    let limiter = SlidingWindow::new(quota(100, ms(1_000), 1), now);
    assert!(limiter.check_n(100, now + ms(999)).is_ok());
    // A fixed window would let another hundred through.
    assert!(limiter.check(now + ms(1_000)).is_err());
    let later = (0..100)
        .filter(|_| limiter.check(now + ms(1_500)).is_ok())
        .count();
    assert_eq!(later, 50);
}

#[test]
fn an_earlier_now_is_the_start_of_the_latest_window() {
    let now = start();
    let limiter = SlidingWindow::new(quota(2, ms(1_000), 1), now);
    assert!(limiter.check_n(2, now + ms(5_000)).is_ok());
    for earlier in [0, 1_000, 4_000, 4_999] {
        assert!(limiter.check(now + ms(earlier)).is_err(), "{earlier}");
    }
}

#[test]
fn a_pause_forgets_everything() {
    let now = start();
    let limiter = SlidingWindow::new(quota(2, ms(1_000), 1), now);
    assert!(limiter.check_n(2, now + ms(999)).is_ok());
    assert_eq!(limiter.status(now + ms(2_000)).remaining, 2);
    assert_eq!(limiter.status(now + ms(2_000)).reset, Duration::ZERO);
}

#[test]
fn an_edit_keeps_what_was_counted() {
    let now = start();
    let limiter = SlidingWindow::new(quota(10, ms(1_000), 1), now);
    assert!(limiter.check_n(8, now).is_ok());
    limiter.reconfigure(quota(20, ms(1_000), 1), now);
    assert_eq!(limiter.status(now).remaining, 12);
    limiter.reconfigure(quota(20, ms(60_000), 1), now + ms(1_500));
    // Half of the eight was still in sight.
    assert_eq!(limiter.status(now + ms(1_500)).remaining, 16);
    assert_eq!(limiter.quota().period(), ms(60_000));
}
