//! Deadlines on the wire: how long the caller still waits.
//!
//! | header | value | who |
//! |---|---|---|
//! | [`GRPC_TIMEOUT`] | up to eight digits and a unit: `H M S m u n` | gRPC over HTTP/2 |
//! | [`ENVOY_EXPECTED`] | milliseconds | Envoy, to what it forwards to |
//!
//! Both are durations, not moments, so that clocks need not agree; the way there is lost, which
//! [`Deadline::less`](super::Deadline::less) can make up for. What is written is never longer than what is left: it is
//! rounded down, but not to nothing, because 0 means "no limit" to Envoy.

use std::{fmt, time::Duration};

/// gRPC's (`Timeout` in "gRPC over HTTP2").
pub const GRPC_TIMEOUT: &str = "grpc-timeout";
/// Envoy's, for what is behind it: how long it will wait.
pub const ENVOY_EXPECTED: &str = "x-envoy-expected-rq-timeout-ms";

/// The units of gRPC with their nanoseconds, the finest first.
const UNITS: [(char, u128); 6] = [
    ('n', 1),
    ('u', 1_000),
    ('m', 1_000_000),
    ('S', 1_000_000_000),
    ('M', 60_000_000_000),
    ('H', 3_600_000_000_000),
];

/// More digits than this gRPC does not take.
const MOST: u128 = 99_999_999;

/// Reads a `grpc-timeout`; `None` if it is none.
///
/// ```
/// use guildhall_resilience::deadline::header::parse_grpc_timeout;
/// use std::time::Duration;
///
/// assert_eq!(parse_grpc_timeout("1500m"), Some(Duration::from_millis(1500)));
/// assert_eq!(parse_grpc_timeout("1500"), None);
/// ```
pub fn parse_grpc_timeout(value: &str) -> Option<Duration> {
    let unit = value.chars().next_back()?;
    let (_, nanos) = UNITS.iter().find(|(name, _)| *name == unit)?;
    let digits = &value[..value.len() - 1];
    if digits.len() > 8 {
        return None;
    }
    let total = u128::from(number(digits)?) * nanos;
    let seconds = u64::try_from(total / 1_000_000_000).ok()?;
    Some(Duration::new(seconds, (total % 1_000_000_000) as u32))
}

/// Writes a `grpc-timeout`, in the finest unit whose number has eight digits at most.
pub fn format_grpc_timeout(left: Duration) -> impl fmt::Display {
    let nanos = left.as_nanos().max(1);
    let (unit, number) = UNITS
        .iter()
        .map(|(unit, size)| (*unit, nanos / size))
        .find(|(_, number)| *number <= MOST)
        .unwrap_or(('H', MOST));
    fmt::from_fn(move |f| write!(f, "{number}{unit}"))
}

/// Reads an `x-envoy-expected-rq-timeout-ms`; `None` if it is none, or 0, which means that there is no limit.
pub fn parse_envoy_expected(value: &str) -> Option<Duration> {
    number(value)
        .filter(|millis| *millis > 0)
        .map(Duration::from_millis)
}

/// Writes an `x-envoy-expected-rq-timeout-ms`: milliseconds, at least 1.
pub fn format_envoy_expected(left: Duration) -> u64 {
    u64::try_from(left.as_millis()).unwrap_or(u64::MAX).max(1)
}

/// Digits and nothing else: no sign, no space.
fn number(digits: &str) -> Option<u64> {
    let all = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    all.then(|| digits.parse().ok()).flatten()
}
