//! Parts of a limit.

use std::fmt;
use std::time::Duration;

use crate::limiter::Quota;
use crate::limiter::quota::LONGEST;
use crate::origin::nanos;

/// A part of a limit, in billionths of it. A demand may be more than all there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Part(u64);

impl Part {
    /// Nothing.
    pub const NONE: Self = Self(0);
    /// All of it.
    pub const ALL: Self = Self(1_000_000_000);

    /// So many billionths.
    pub const fn billionths(billionths: u64) -> Self {
        Self(billionths)
    }

    /// In billionths.
    pub const fn in_billionths(self) -> u64 {
        self.0
    }

    /// `share` of 1, to the next billionth; what is negative or no number is nothing.
    pub fn from_f64(share: f64) -> Self {
        // A cast of a float ends at the bounds.
        Self((share * 1e9).round() as u64)
    }

    /// As a share of 1.
    pub fn as_f64(self) -> f64 {
        self.0 as f64 / 1e9
    }

    /// At most all.
    #[must_use]
    pub fn at_most_all(self) -> Self {
        self.min(Self::ALL)
    }

    /// This part of a rate: requests come back as much more slowly, and the burst is as much smaller, but one request.
    /// For [`Gcra`](crate::limiter::Gcra); no rate is too low for it.
    #[must_use]
    pub fn of_rate(self, quota: &Quota) -> Quota {
        let part = u128::from(self.at_most_all().0.max(1));
        let (limit, all) = (u128::from(quota.limit()), u128::from(Self::ALL.0));
        let burst = (u128::from(quota.burst()) * part / all).max(1);
        let period = (u128::from(nanos(quota.period())) * all).div_ceil(part);
        // Rates of a request in years are as good as none; a full burst must stay within what can be counted.
        let longest = (u128::from(LONGEST) / burst) * limit;
        let period = u64::try_from(period.min(longest)).unwrap_or(u64::MAX);
        quota.with(
            quota.limit(),
            Duration::from_nanos(period),
            // At most the quota's.
            burst as u32,
        )
    }
}

/// In percent.
impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Tenths of a percent, rounded.
        let tenths = self.0.saturating_add(500_000) / 1_000_000;
        match (tenths / 10, tenths % 10) {
            (whole, 0) => write!(f, "{whole}%"),
            (whole, tenths) => write!(f, "{whole}.{tenths}%"),
        }
    }
}
