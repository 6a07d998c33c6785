//! Rate limiters against naive models, and what they promise besides.

mod gcra;
mod hot;
mod keyed;
mod leaky;
#[cfg(feature = "redis")]
mod redis;
mod shares;
mod sliding;
mod table;
mod warm_up;

use std::time::{Duration, Instant};

use guildhall_resilience::limiter::Quota;

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn quota(limit: u32, period: Duration, burst: u32) -> Quota {
    Quota::new(limit, period)
        .and_then(|quota| quota.with_burst(burst))
        .unwrap()
}

#[expect(clippy::disallowed_methods, reason = "tests begin at any time")]
fn start() -> Instant {
    Instant::now()
}

#[test]
fn impossible_quotas_name_the_field_and_the_remedy() {
    let errors = [
        Quota::new(0, ms(1)),
        Quota::new(1, Duration::ZERO),
        Quota::new(2, Duration::from_nanos(1)),
        Quota::new(1, Duration::from_secs(u64::MAX)),
        Quota::per_second(1).unwrap().with_burst(0),
        Quota::per_minute(1).unwrap().with_burst(u32::MAX),
    ]
    .map(|quota| quota.unwrap_err().to_string());
    insta::assert_snapshot!(errors.join("\n"), @r"
    limit: must be at least 1; to refuse everything, take the route away
    period: must be longer than zero
    limit: must leave at least a nanosecond for each request of the period
    period: must be so short that a full burst comes back within 36 years
    burst: must be at least 1, or no request ever gets through
    period: must be so short that a full burst comes back within 36 years
    ");
}
