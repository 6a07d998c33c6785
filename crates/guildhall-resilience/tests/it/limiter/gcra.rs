//! GCRA against a token bucket that counts thousandths of tokens.

use std::time::Duration;

use guildhall_resilience::limiter::Gcra;
use guildhall_resilience::{Pattern, Rejection};
use proptest::prelude::*;

use super::{ms, quota, start};

/// A bucket as one would write it: filled by time, emptied by requests. In units of a nanosecond's worth of tokens,
/// so that nothing is rounded.
struct Bucket {
    tokens: u64,
    most: u64,
    interval: u64,
    seen: u64,
}

impl Bucket {
    fn new(interval: u64, burst: u64) -> Self {
        let most = interval * burst;
        Self {
            tokens: most,
            most,
            interval,
            seen: 0,
        }
    }

    /// Whether `n` go at `now`, or how long until they may.
    fn take(&mut self, n: u64, now: u64) -> Result<u64, Option<u64>> {
        if now > self.seen {
            self.tokens = (self.tokens + (now - self.seen)).min(self.most);
            self.seen = now;
        }
        let cost = self.interval * n;
        if cost > self.most {
            return Err(None);
        }
        if cost > self.tokens {
            return Err(Some(cost - self.tokens));
        }
        self.tokens -= cost;
        Ok(self.tokens / self.interval)
    }
}

proptest! {
    #[test]
    fn it_is_a_token_bucket(
        interval in 1..2_000_000_000u64,
        burst in 1..50u32,
        steps in prop::collection::vec((0..3_000u64, 0..60u32), 1..200),
    ) {
        let origin = start();
        let gcra = Gcra::new(quota(1, Duration::from_nanos(interval), burst), origin);
        let mut bucket = Bucket::new(interval, u64::from(burst));
        let mut now = 0;
        for (thousandths, n) in steps {
            // Up to three intervals, and often none.
            now += interval * thousandths.saturating_sub(1_000) / 1_000;
            let n = n.saturating_sub(10).max(1);
            let got = gcra.check_n(n, origin + Duration::from_nanos(now));
            match bucket.take(u64::from(n), now) {
                Ok(left) => {
                    let allowed = got.unwrap();
                    prop_assert_eq!(u64::from(allowed.remaining()), left);
                    prop_assert_eq!(allowed.status().limit, burst);
                }
                Err(wait) => {
                    let limited = got.unwrap_err();
                    prop_assert_eq!(limited.retry_after, wait.map(Duration::from_nanos));
                    prop_assert_eq!(u64::from(limited.status.remaining), bucket.tokens / interval);
                }
            }
        }
    }

    #[test]
    fn retry_after_is_exact(interval in 2..1_000_000u64, burst in 1..10u32, used in 1..40u32, at in 0..1_000_000u64) {
        let origin = start();
        let gcra = Gcra::new(quota(1, Duration::from_nanos(interval), burst), origin);
        let now = origin + Duration::from_nanos(at);
        for _ in 0..used {
            let _ = gcra.check(now);
        }
        if let Err(limited) = gcra.check(now) {
            let wait = limited.retry_after.unwrap();
            prop_assert!(gcra.check(now + wait - Duration::from_nanos(1)).is_err());
            prop_assert!(gcra.check(now + wait).is_ok());
        }
    }

    #[test]
    fn an_edit_keeps_what_is_used_up(
        burst in 1..100u32, used in 0..100u32, to in 1..100u32, before in 1..1_000_000u64, after in 1..1_000_000u64,
    ) {
        let now = start();
        let gcra = Gcra::new(quota(1, Duration::from_nanos(before), burst), now);
        let used = used.min(burst);
        prop_assert!(gcra.check_n(used, now).is_ok());
        gcra.reconfigure(quota(1, Duration::from_nanos(after), to), now);
        let status = gcra.status(now);
        prop_assert_eq!((status.limit, status.remaining), (to, to.saturating_sub(used)));
    }
}

#[test]
fn an_earlier_now_gives_nothing_back() {
    let now = start();
    let gcra = Gcra::new(quota(1, ms(100), 1), now);
    let later = now + ms(1_000);
    assert!(gcra.check(later).is_ok());
    assert!(gcra.check(now).is_err());
    assert!(gcra.check(later + ms(99)).is_err());
    assert!(gcra.check(later + ms(100)).is_ok());
}

#[test]
fn a_clock_that_stands_still_gives_nothing_back() {
    let now = start();
    let gcra = Gcra::new(quota(1, ms(100), 5), now);
    let admitted = (0..1_000).filter(|_| gcra.check(now).is_ok()).count();
    assert_eq!(admitted, 5);
}

#[test]
fn what_is_over_the_burst_never_goes_and_takes_nothing() {
    let now = start();
    let gcra = Gcra::new(quota(1, ms(100), 5), now);
    let limited = gcra.check_n(6, now).unwrap_err();
    assert_eq!((limited.retry_after, limited.status.remaining), (None, 5));
    assert!(gcra.check_n(5, now).is_ok());
}

#[test]
fn threads_together_get_no_more_than_the_burst() {
    let now = start();
    let gcra = Gcra::new(quota(1, ms(3_600_000), 1_000), now);
    let admitted: usize = std::thread::scope(|scope| {
        let count = || (0..1_000).filter(|_| gcra.check(now).is_ok()).count();
        let threads = [scope.spawn(count), scope.spawn(count), scope.spawn(count)];
        threads.map(|thread| thread.join().unwrap()).iter().sum()
    });
    assert_eq!(admitted, 1_000);
}

#[test]
fn a_refusal_names_the_pattern() {
    let now = start();
    let gcra = Gcra::new(quota(1, ms(100), 1), now);
    assert!(gcra.check(now).is_ok());
    assert_eq!(
        Rejection::from(gcra.check(now).unwrap_err()),
        Rejection {
            by: Pattern::RateLimit,
            retry_after: Some(ms(100))
        }
    );
}
