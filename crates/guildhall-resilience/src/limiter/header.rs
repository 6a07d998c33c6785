//! `RateLimit-Policy`, `RateLimit` and `Retry-After`: the only place that knows how they are written.
//!
//! After draft-ietf-httpapi-ratelimit-headers-10: lists of structured fields (RFC 9651) whose items are the policy's
//! name; `q` is the quota, `w` its window, `r` what remains, `t` the seconds until it is reset. Seconds are whole and
//! rounded up, so that nobody comes back too early.

use std::fmt;
use std::time::Duration;

use super::{Quota, RateLimit};

/// The name of the header that says what the limit is.
pub const POLICY: &str = "ratelimit-policy";
/// The name of the header that says what is left of it.
pub const LIMIT: &str = "ratelimit";

/// The value of `RateLimit-Policy`; the same for every response of a route.
///
/// ```
/// use guildhall_resilience::limiter::{Quota, header};
///
/// let quota = Quota::per_minute(100)?;
/// assert_eq!(header::policy("default", &quota).to_string(), r#""default";q=100;w=60"#);
/// # Ok::<(), guildhall_resilience::ConfigError>(())
/// ```
///
/// A window is in whole seconds: 5 requests in 100 ms are shown as 50 in a second.
pub fn policy<'a>(name: &'a str, quota: &Quota) -> impl fmt::Display + use<'a> {
    let (limit, period) = (u64::from(quota.limit()), quota.period());
    let (quota, window) = if period < Duration::from_secs(1) {
        let in_a_second = u128::from(limit) * 1_000_000_000 / period.as_nanos();
        (in_a_second as u64, 1)
    } else {
        (limit, seconds(period))
    };
    Item {
        name,
        parameters: [("q", quota), ("w", window)],
    }
}

/// The value of `RateLimit`.
///
/// ```
/// use guildhall_resilience::limiter::{RateLimit, header};
/// use std::time::Duration;
///
/// let status = RateLimit { limit: 100, remaining: 50, reset: Duration::from_millis(29_100) };
/// assert_eq!(header::limit("default", &status).to_string(), r#""default";r=50;t=30"#);
/// ```
pub fn limit<'a>(name: &'a str, status: &RateLimit) -> impl fmt::Display + use<'a> {
    Item {
        name,
        parameters: [
            ("r", u64::from(status.remaining)),
            ("t", seconds(status.reset)),
        ],
    }
}

/// The value of `Retry-After`: whole seconds, rounded up.
///
/// ```
/// use guildhall_resilience::limiter::header;
/// use std::time::Duration;
///
/// assert_eq!(header::seconds(Duration::from_millis(1)), 1);
/// assert_eq!(header::seconds(Duration::ZERO), 0);
/// ```
pub fn seconds(duration: Duration) -> u64 {
    duration
        .as_secs()
        .saturating_add(u64::from(duration.subsec_nanos() > 0))
}

/// A string item with integer parameters.
struct Item<'a> {
    name: &'a str,
    parameters: [(&'static str, u64); 2],
}

impl fmt::Display for Item<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"")?;
        for c in self.name.chars() {
            match c {
                '"' | '\\' => write!(f, "\\{c}")?,
                ' '..='~' => write!(f, "{c}")?,
                // Structured fields' strings are printable ASCII.
                _ => f.write_str("_")?,
            }
        }
        f.write_str("\"")?;
        self.parameters
            .iter()
            // Their integers have at most 15 digits.
            .try_for_each(|(name, value)| {
                write!(f, ";{name}={}", (*value).min(999_999_999_999_999))
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_below_a_second_is_scaled_to_one() {
        let quota = Quota::new(5, Duration::from_millis(100)).unwrap();
        assert_eq!(policy("burst", &quota).to_string(), r#""burst";q=50;w=1"#);
    }

    #[test]
    fn names_are_quoted_and_cannot_break_out() {
        let status = RateLimit {
            limit: 1,
            remaining: 0,
            reset: Duration::MAX,
        };
        assert_eq!(
            limit("a\"b\\c\r\nd\u{e9}", &status).to_string(),
            r#""a\"b\\c__d_";r=0;t=999999999999999"#
        );
    }
}
