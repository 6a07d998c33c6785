//! How many retries all requests to a service may have together.
//!
//! Attempts per request do not bound load: when everything fails, three attempts are three times the load, at every
//! hop. A budget does: over the last ten seconds there are at most `ratio × requests + per_second × 10` retries
//! (finagle's `RetryBudget`, "Retry Budgets", 2016; its window and default ratio, and linkerd's floor of 10 a second).
//!
//! # Never more than that
//!
//! tower's `TpsBudget` counts in tokens whose price is rounded, and so lets through up to twice the configured ratio
//! (tower#857: 0.6 becomes 1). Here requests and retries are counted as they are, and the ratio is applied to the
//! counts, in millionths and rounded down.
//!
//! Many threads take retries at once, and each must see the others' before it may have one. A retry is therefore
//! entered first and counted then: if there are too many, it is struck out again. Of two that enter at the same time at
//! least one sees both, so that together they never take more than there is; at worst both step back from the last
//! one. When nothing is left, asking reads and writes nothing, so that an outage costs no traffic between cores.
//!
//! # What an edit keeps
//!
//! | field | kept | changed |
//! |---|---|---|
//! | `ratio`, `per_second` | the requests and retries of the window | how many may follow |

use std::time::Instant;

use crate::{
    ConfigError,
    origin::Origin,
    sync::atomic::{AtomicU64, Ordering::Relaxed, Ordering::SeqCst, fence},
};

/// How long a request gives its share of a retry, in buckets of a second.
const BUCKETS: u32 = 10;
/// Nanoseconds of a bucket.
const WIDTH: u64 = 1_000_000_000;

/// A bucket is one word: the second it stands for (28 bits: eight years), requests (20), retries (16).
const RETRY: u64 = 1;
const RETRIES: u64 = (1 << 16) - 1;
const REQUEST: u64 = 1 << 16;
const REQUESTS: u64 = (1 << 20) - 1;
const SECOND_SHIFT: u32 = 36;
const SECONDS: u64 = (1 << 28) - 1;

/// What a budget grants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BudgetConfig {
    millionths: u32,
    per_second: u32,
}

impl Default for BudgetConfig {
    /// A fifth of the requests, and 10 a second.
    fn default() -> Self {
        Self {
            millionths: 200_000,
            per_second: 10,
        }
    }
}

impl BudgetConfig {
    /// `ratio` retries for each request, and `per_second` whether there are requests or not.
    ///
    /// The second is what a caller with little traffic lives on: with ten requests a minute, a ratio alone would never
    /// grant it a retry.
    ///
    /// # Errors
    /// If `ratio` is not between 0 and 10, or `per_second` is over 10,000.
    pub fn new(ratio: f64, per_second: u32) -> Result<Self, ConfigError> {
        ConfigError::unless(
            (0.0..=10.0).contains(&ratio),
            "ratio",
            "must be 0 to 10 retries for each request; 0.2 is usual",
        )?;
        ConfigError::unless(per_second <= 10_000, "per_second", "must be at most 10000")?;
        // Rounded to the nearest millionth: 0.29 is a little less than itself in binary.
        let millionths = (ratio * 1e6).round() as u32;
        Ok(Self {
            millionths,
            per_second,
        })
    }

    pub(crate) const fn per_cent(percent: u32, per_second: u32) -> Self {
        Self {
            millionths: percent * 10_000,
            per_second,
        }
    }

    /// Retries for each request.
    pub fn ratio(&self) -> f64 {
        f64::from(self.millionths) / 1e6
    }

    /// Retries a second without any request.
    pub fn per_second(&self) -> u32 {
        self.per_second
    }

    /// How many retries there may be in a window with so many requests.
    pub fn allowance(&self, requests: u64) -> u64 {
        let by_ratio = u128::from(requests) * u128::from(self.millionths) / 1_000_000;
        // Ten times a u64 over a million always fits.
        by_ratio as u64 + u64::from(self.per_second) * u64::from(BUCKETS)
    }

    fn packed(self) -> u64 {
        u64::from(self.millionths) << 32 | u64::from(self.per_second)
    }

    fn unpacked(word: u64) -> Self {
        Self {
            millionths: (word >> 32) as u32,
            per_second: word as u32,
        }
    }
}

/// What a budget's window holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BudgetStatus {
    /// Requests of the last ten seconds.
    pub requests: u64,
    /// Their retries.
    pub retries: u64,
    /// How many more there may be at this moment.
    pub left: u64,
}

/// A retry budget for all requests to a service: shared by reference, lock-free.
///
/// ```
/// use guildhall_resilience::retry::{Budget, BudgetConfig};
/// use std::time::{Duration, Instant};
///
/// let now = Instant::now();
/// let budget = Budget::new(BudgetConfig::new(0.6, 0)?, now);
/// for _ in 0..10 {
///     budget.deposit(now);
/// }
/// // tower#857: ten requests at 0.6 are six retries, and not ten.
/// assert_eq!((0..10).filter(|_| budget.withdraw(now)).count(), 6);
/// assert_eq!(budget.status(now + Duration::from_secs(10)).requests, 0);
/// # Ok::<(), guildhall_resilience::ConfigError>(())
/// ```
#[derive(Debug)]
// Lines of its own: a neighbour that is written often would slow it down.
#[repr(align(64))]
pub struct Budget {
    buckets: [AtomicU64; BUCKETS as usize],
    /// The latest second seen: a clock that jumps back brings no window back.
    latest: AtomicU64,
    config: AtomicU64,
    origin: Origin,
}

impl Budget {
    /// A budget with an empty window.
    pub fn new(config: BudgetConfig, now: Instant) -> Self {
        Self {
            buckets: std::array::from_fn(|_| AtomicU64::new(0)),
            latest: AtomicU64::new(0),
            config: AtomicU64::new(config.packed()),
            origin: Origin::new(now),
        }
    }

    /// A request was sent for the first time. Its retries are no requests, and neither is what never left: deposit once
    /// it is known that no breaker and no limit turned it away (the layers do when its first attempt ends), or an outage
    /// behind an open breaker fills the budget for the first seconds after it.
    #[inline]
    pub fn deposit(&self, now: Instant) {
        self.enter(REQUEST, REQUESTS * REQUEST, self.second(now));
    }

    /// Takes a retry; `false` if there is none left.
    #[inline]
    pub fn withdraw(&self, now: Instant) -> bool {
        let second = self.second(now);
        let is_over = || {
            let (requests, retries) = self.sums(second);
            retries.cmp(&self.config().allowance(requests))
        };
        // Without a write if it is in vain.
        if is_over().is_ge() {
            return false;
        }
        let Some(entered) = self.enter(RETRY, RETRIES, second) else {
            return false;
        };
        // Between entering and counting: of two threads at least one sees the other's entry.
        fence(SeqCst);
        if is_over().is_gt() {
            self.strike(entered);
            return false;
        }
        true
    }

    /// What the window holds.
    pub fn status(&self, now: Instant) -> BudgetStatus {
        let (requests, retries) = self.sums(self.second(now));
        BudgetStatus {
            requests,
            retries,
            left: self.config().allowance(requests).saturating_sub(retries),
        }
    }

    /// What it grants.
    pub fn config(&self) -> BudgetConfig {
        BudgetConfig::unpacked(self.config.load(Relaxed))
    }

    /// Grants this from now on; the window stays.
    pub fn reconfigure(&self, config: BudgetConfig) {
        self.config.store(config.packed(), Relaxed);
    }

    /// The second of `now`, or the latest one that anybody saw.
    #[inline]
    fn second(&self, now: Instant) -> u64 {
        let second = self.origin.nanos(now) / WIDTH;
        let latest = self.latest.load(Relaxed);
        if second <= latest {
            return latest;
        }
        self.latest.fetch_max(second, Relaxed).max(second)
    }

    /// Adds `one` to the bucket of `second`, whose part `full` holds no more; says which second it went to.
    #[inline]
    fn enter(&self, one: u64, full: u64, second: u64) -> Option<u64> {
        let bucket = &self.buckets[(second % u64::from(BUCKETS)) as usize];
        let mut word = bucket.load(Relaxed);
        loop {
            let next = match age(second, word) {
                // A thread that is ahead turned the bucket over already: it counts there.
                0 | AHEAD => match word & full == full {
                    false => word + one,
                    true => return None,
                },
                _ => (second & SECONDS) << SECOND_SHIFT | one,
            };
            match bucket.compare_exchange_weak(word, next, Relaxed, Relaxed) {
                Ok(_) => return Some(next >> SECOND_SHIFT),
                Err(other) => word = other,
            }
        }
    }

    /// Takes a retry back out of the bucket it went to, unless that has been turned over since.
    fn strike(&self, second: u64) {
        for bucket in &self.buckets {
            let out = |word: u64| {
                (word >> SECOND_SHIFT == second && word & RETRIES > 0).then(|| word - RETRY)
            };
            if bucket.fetch_update(Relaxed, Relaxed, out).is_ok() {
                return;
            }
        }
    }

    /// Requests and retries of the window that ends with `second`.
    #[inline]
    fn sums(&self, second: u64) -> (u64, u64) {
        let live = |word: &u64| matches!(age(second, *word), AHEAD | 0..BUCKETS_U64);
        self.buckets
            .iter()
            .map(|bucket| bucket.load(Relaxed))
            .filter(live)
            .fold((0, 0), |(requests, retries), word| {
                (
                    requests + ((word / REQUEST) & REQUESTS),
                    retries + (word & RETRIES),
                )
            })
    }
}

const BUCKETS_U64: u64 = BUCKETS as u64;
/// The age of a bucket that another thread turned over for a later second.
const AHEAD: u64 = u64::MAX;

/// How many seconds before `second` the bucket's is.
#[inline]
fn age(second: u64, word: u64) -> u64 {
    let age = second.wrapping_sub(word >> SECOND_SHIFT) & SECONDS;
    if age > SECONDS / 2 { AHEAD } else { age }
}
