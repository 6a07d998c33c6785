//! GCRA decides as governor's does, on the same sequence of requests.

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use governor::RateLimiter;
use governor::clock::{Clock, FakeRelativeClock};
use guildhall_resilience::limiter::{Gcra, Keyed, Quota};
use proptest::prelude::*;

fn burst(burst: u32) -> NonZeroU32 {
    NonZeroU32::new(burst).unwrap_or(NonZeroU32::MIN)
}

proptest! {
    #[test]
    fn gcra_admits_what_governor_admits_and_names_the_same_time(
        interval in 1..1_000_000u64,
        most in 1..50u32,
        steps in prop::collection::vec((0..3_000u64, 1..20u32), 1..200),
    ) {
        let interval = Duration::from_nanos(interval);
        #[expect(clippy::disallowed_methods, reason = "a test begins at any time")]
        let origin = Instant::now();
        let ours = Gcra::new(Quota::new(1, interval).unwrap().with_burst(most).unwrap(), origin);
        let clock = FakeRelativeClock::default();
        let quota = governor::Quota::with_period(interval).unwrap().allow_burst(burst(most));
        let theirs = RateLimiter::direct_with_clock(quota, clock.clone());
        let mut now = origin;
        for (thousandths, n) in steps {
            let gap = interval * thousandths.saturating_sub(1_000) as u32 / 1_000;
            now += gap;
            clock.advance(gap);
            let n = n.saturating_sub(10).max(1);
            let got = ours.check_n(n, now);
            match theirs.check_n(burst(n)) {
                Err(_) => {
                    prop_assert_eq!(got.unwrap_err().retry_after, None);
                }
                Ok(Ok(())) => prop_assert!(got.is_ok()),
                Ok(Err(until)) => {
                    let limited = got.unwrap_err();
                    prop_assert_eq!(limited.retry_after, Some(until.wait_time_from(clock.now())));
                }
            }
        }
    }

    #[test]
    fn keys_are_limited_as_governor_limits_them(steps in prop::collection::vec((0..6u8, 0..300u64), 1..300)) {
        let interval = Duration::from_millis(100);
        #[expect(clippy::disallowed_methods, reason = "a test begins at any time")]
        let mut now = Instant::now();
        let ours: Keyed<u8> = Keyed::new(Quota::new(1, interval).unwrap().with_burst(3).unwrap(), 100, now).unwrap();
        let clock = FakeRelativeClock::default();
        let quota = governor::Quota::with_period(interval).unwrap().allow_burst(burst(3));
        let theirs = RateLimiter::dashmap_with_clock(quota, clock.clone());
        for (key, gap) in steps {
            let gap = Duration::from_millis(gap.saturating_sub(200));
            now += gap;
            clock.advance(gap);
            prop_assert_eq!(ours.check(&key, now).is_ok(), theirs.check_key(&key).is_ok());
        }
    }
}
