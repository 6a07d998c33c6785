//! Limiters that follow a part: what is left stays left.

use guildhall_resilience::limiter::{Gcra, Quota, shares::Part};
use proptest::prelude::*;

use super::{ms, quota, start};

#[test]
fn a_part_of_a_quota() {
    let half = Part::from_f64(0.5);
    let of = |part: Part, quota: Quota| {
        let rate = part.of_rate(&quota);
        format!(
            "{} in {:?}, {} at once",
            rate.limit(),
            rate.period(),
            rate.burst()
        )
    };
    let second = quota(100, ms(1_000), 50);
    assert_eq!(of(Part::ALL, second), "100 in 1s, 50 at once");
    assert_eq!(of(half, second), "100 in 2s, 25 at once");
    // Nobody is left without one request.
    assert_eq!(
        of(Part::NONE, quota(3, ms(60_000), 3)),
        "3 in 3458764513.820540928s, 1 at once"
    );
    let tiny = Part::billionths(1).of_rate(&quota(1, ms(86_400_000), 1));
    assert!(Quota::new(tiny.limit(), tiny.period()).is_ok());
}

proptest! {
    #[test]
    fn a_part_is_a_possible_quota_and_never_more(
        limit in 1..=u32::MAX,
        period in 1..=u64::MAX >> 4,
        burst in 1..=u32::MAX,
        part in 0..=1_000_000_000u64,
    ) {
        let made = Quota::new(limit, std::time::Duration::from_nanos(period)).and_then(|quota| quota.with_burst(burst));
        let Ok(whole) = made else { return Ok(()) };
        let part = Part::billionths(part);
        let rate = part.of_rate(&whole);
        prop_assert!(rate.with_burst(rate.burst()).is_ok());
        prop_assert!(rate.period() >= whole.period() && rate.burst() <= whole.burst());
    }

    /// Whatever happened before, a change of the part leaves what is left, at most the new burst.
    #[test]
    fn a_bucket_keeps_what_is_left(
        steps in prop::collection::vec((0..500u64, 0..40u32, 1..=100u64), 1..60),
    ) {
        let whole = quota(100, ms(1_000), 60);
        let mut now = start();
        let limiter = Gcra::new(whole, now);
        for (pause, ask, percent) in steps {
            now += ms(pause);
            let _ = limiter.check_n(ask, now);
            let left = limiter.status(now).remaining;
            let quota = Part::billionths(percent * 10_000_000).of_rate(&whole);
            limiter.resize(quota, now);
            let after = limiter.status(now).remaining;
            let expected = left.min(quota.burst());
            // Rounding may cost one request, and never gives one.
            prop_assert!(after == expected || after + 1 == expected, "{left} left, then {after} of {quota:?}");
        }
    }
}
