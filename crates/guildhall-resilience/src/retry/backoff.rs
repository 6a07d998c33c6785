//! How long to wait between attempts.

use std::time::Duration;

use fastrand::Rng;

use crate::{ConfigError, origin::nanos};

/// Exponential backoff with full jitter: before the n-th retry, any time between nothing and `min(longest, base × 2^(n
/// − 1))`, each as likely as the other.
///
/// Jitter over the whole range spreads callers who failed together better than any other scheme for the same number of
/// calls (Marc Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015). The default, 25 ms doubling to
/// 250 ms, is Envoy's.
///
/// ```
/// use guildhall_resilience::retry::Backoff;
/// use std::time::Duration;
///
/// let backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(1))?;
/// let ceilings = [1, 2, 3, 4, 5, 99].map(|retry| backoff.ceiling(retry).as_millis());
/// assert_eq!(ceilings, [100, 200, 400, 800, 1000, 1000]);
/// # Ok::<(), guildhall_resilience::ConfigError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Backoff {
    base: Duration,
    longest: Duration,
    least: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            base: Duration::from_millis(25),
            longest: Duration::from_millis(250),
            least: Duration::ZERO,
        }
    }
}

impl Backoff {
    /// From `base` on, doubling up to `longest`. A `base` of zero is no pause at all.
    ///
    /// # Errors
    /// If `longest` is shorter than `base`, or longer than a day.
    pub fn new(base: Duration, longest: Duration) -> Result<Self, ConfigError> {
        ConfigError::unless(longest >= base, "longest", "must be at least `base`")?;
        ConfigError::unless(
            longest <= Duration::from_secs(86_400),
            "longest",
            "must be at most a day; nobody waits longer for an answer",
        )?;
        Ok(Self {
            base,
            longest,
            least: Duration::ZERO,
        })
    }

    /// The same, never shorter than `least`: any time between that and the ceiling. It costs some of the spread, and is
    /// for those who were promised a shortest pause, as Gateway API promises it.
    ///
    /// # Errors
    /// If `least` is longer than the longest pause.
    pub fn with_least(self, least: Duration) -> Result<Self, ConfigError> {
        ConfigError::unless(
            least <= self.longest,
            "least",
            "must be at most the longest pause",
        )?;
        Ok(Self { least, ..self })
    }

    /// The longest pause before the `retry`-th retry, counted from 1.
    pub fn ceiling(&self, retry: u32) -> Duration {
        // Past 2^40 the longest of a day is reached even from a nanosecond on.
        let doublings = retry.saturating_sub(1).min(40);
        let nanos = nanos(self.base).saturating_mul(1 << doublings);
        Duration::from_nanos(nanos)
            .min(self.longest)
            .max(self.least)
    }

    /// The pause before the `retry`-th retry, counted from 1.
    pub fn pause(&self, retry: u32, random: &mut Rng) -> Duration {
        let pause = random.u64(nanos(self.least)..=nanos(self.ceiling(retry)));
        Duration::from_nanos(pause)
    }
}
