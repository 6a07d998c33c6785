//! How much a holder asks for.

use std::time::{Duration, Instant};

/// The shortest time that is measured over.
const SHORTEST: Duration = Duration::from_millis(500);
/// After this time what was measured before counts half.
const HALF_LIFE: Duration = Duration::from_secs(1);

/// Requests a second, smoothed, from a count that grows: with those that were refused, or a limit would never be seen to
/// be too small.
///
/// ```
/// use guildhall_resilience::limiter::shares::Demand;
/// use std::time::{Duration, Instant};
///
/// let start = Instant::now();
/// let second = |n| start + Duration::from_secs(n);
/// let mut demand = Demand::new(0, start);
/// assert_eq!(demand.per_second(), None);
/// demand.observe(100, second(1));
/// assert_eq!(demand.per_second(), Some(100.0));
/// // A second later what was measured before counts half.
/// demand.observe(300, second(2));
/// assert_eq!(demand.per_second(), Some(150.0));
/// ```
#[derive(Clone, Debug)]
pub struct Demand {
    count: u64,
    at: Instant,
    per_second: Option<f64>,
}

impl Demand {
    /// Measures from this count on.
    pub fn new(count: u64, now: Instant) -> Self {
        Self {
            count,
            at: now,
            per_second: None,
        }
    }

    /// The count as it stands now. One that has shrunk began anew.
    pub fn observe(&mut self, count: u64, now: Instant) {
        let passed = now.saturating_duration_since(self.at);
        if passed < SHORTEST {
            return;
        }
        let came = count.checked_sub(self.count).unwrap_or(count);
        let rate = came as f64 / passed.as_secs_f64();
        let kept = 0.5_f64.powf(passed.as_secs_f64() / HALF_LIFE.as_secs_f64());
        self.per_second = Some(match self.per_second {
            Some(before) => before * kept + rate * (1.0 - kept),
            None => rate,
        });
        (self.count, self.at) = (count, now);
    }

    /// Requests a second; `None` before anything was measured.
    pub fn per_second(&self) -> Option<f64> {
        self.per_second
    }
}
