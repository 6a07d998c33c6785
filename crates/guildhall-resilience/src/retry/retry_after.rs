//! The `Retry-After` header.

use std::time::{Duration, SystemTime};

/// The pause that a `Retry-After` of this value asks for, counted from `wall`; `None` if it is none.
///
/// It is a number of seconds or a date (RFC 9110, section 10.2.3); a date that has passed is no pause. Of a date it is
/// the difference to the caller's own wall clock, which may be wrong: the policy's longest pause bounds the harm.
///
/// ```
/// use guildhall_resilience::retry::retry_after;
/// use std::time::{Duration, SystemTime};
///
/// let wall = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
/// assert_eq!(retry_after::parse("120", wall), Some(Duration::from_secs(120)));
/// let date = "Sun, 06 Nov 1994 08:50:37 GMT";
/// assert_eq!(retry_after::parse(date, wall), Some(Duration::from_secs(60)));
/// assert_eq!(retry_after::parse("soon", wall), None);
/// ```
pub fn parse(value: &str, wall: SystemTime) -> Option<Duration> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than fit are a very long time, not nonsense.
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX)));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    Some(date.duration_since(wall).unwrap_or_default())
}

/// The value that asks for this pause: whole seconds, rounded up, so that nobody comes back too early.
pub fn format(pause: Duration) -> u64 {
    pause
        .as_secs()
        .saturating_add(u64::from(pause.subsec_nanos() > 0))
}
