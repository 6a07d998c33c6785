//! The latencies of the last minute, as a histogram.
//!
//! Buckets grow by an eighth of a power of two (HdrHistogram's idea with three bits of precision), from 1 µs to 68 s;
//! what is beyond counts as the nearest. A quantile is the upper end of its bucket, so that it is at most 12.5% too
//! high and never too low: a hedge errs on the side of not being sent. Two windows of 30 s take turns, so that what is
//! asked covers the last 30 to 60 s.

use std::time::{Duration, Instant};

use crate::{
    origin::{Origin, nanos},
    sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed},
};

/// Buckets of one doubling.
const STEPS: u32 = 8;
/// The first bucket ends above 2^10 ns, the last begins at 2^36 ns.
const FIRST: u32 = 10;
const BUCKETS: usize = (STEPS * 26) as usize;

/// How long a window is filled.
const WIDTH: u64 = 30_000_000_000;

/// How often a thread that asks counts anew; in between the last answer stands.
const REFRESH: u32 = 64;

/// Latencies of the last 30 to 60 s: shared by reference, lock-free, 1.7 KiB.
///
/// ```
/// use guildhall_resilience::hedge::Latency;
/// use std::time::{Duration, Instant};
///
/// let now = Instant::now();
/// let latency = Latency::new(now);
/// for millis in 1..=100 {
///     latency.record(Duration::from_millis(millis), now);
/// }
/// let (p95, samples) = latency.quantile(0.95, now);
/// assert_eq!(samples, 100);
/// assert!((95..=107).contains(&p95.as_millis()), "{p95:?}");
/// ```
#[derive(Debug)]
pub struct Latency {
    windows: [Window; 2],
    /// The window that is filled, counted from the origin.
    current: AtomicU64,
    /// The last answer: share (as the bits of an f32), nanoseconds, samples, and how often it was given.
    cache: Cache,
    origin: Origin,
}

#[derive(Debug)]
struct Window {
    counts: [AtomicU32; BUCKETS],
}

#[derive(Debug)]
struct Cache {
    /// The window it was counted in, and the share asked for.
    key: AtomicU64,
    nanos: AtomicU64,
    samples: AtomicU32,
    asked: AtomicU32,
}

impl Latency {
    /// Nothing was measured yet.
    pub fn new(now: Instant) -> Self {
        let window = || Window {
            counts: std::array::from_fn(|_| AtomicU32::new(0)),
        };
        Self {
            windows: [window(), window()],
            current: AtomicU64::new(0),
            cache: Cache {
                key: AtomicU64::new(u64::MAX),
                nanos: AtomicU64::new(0),
                samples: AtomicU32::new(0),
                asked: AtomicU32::new(0),
            },
            origin: Origin::new(now),
        }
    }

    /// A request took so long.
    #[inline]
    pub fn record(&self, latency: Duration, now: Instant) {
        let current = self.turn(now);
        let counts = &self.windows[(current % 2) as usize].counts;
        counts[bucket(nanos(latency))].fetch_add(1, Relaxed);
    }

    /// The latency that `share` of the requests did not exceed, and of how many; zero and zero if there were none.
    ///
    /// It is counted anew for every 64th asking, or when the window or the share is another: a few loads otherwise.
    pub fn quantile(&self, share: f64, now: Instant) -> (Duration, u32) {
        let current = self.turn(now);
        let key = current << 32 | u64::from((share as f32).to_bits());
        let cache = &self.cache;
        // Answers mix if threads ask for different shares at once; a `Hedge` asks for one.
        let is_fresh = cache.key.load(Relaxed) == key
            && cache.samples.load(Relaxed) >= REFRESH
            && !cache.asked.fetch_add(1, Relaxed).is_multiple_of(REFRESH);
        if is_fresh {
            let nanos = cache.nanos.load(Relaxed);
            return (Duration::from_nanos(nanos), cache.samples.load(Relaxed));
        }
        let (nanos, samples) = self.count(share);
        cache.nanos.store(nanos, Relaxed);
        cache.samples.store(samples, Relaxed);
        cache.key.store(key, Relaxed);
        (Duration::from_nanos(nanos), samples)
    }

    fn count(&self, share: f64) -> (u64, u32) {
        let at = |bucket: usize| -> u64 {
            let both = self.windows.iter();
            both.map(|window| u64::from(window.counts[bucket].load(Relaxed)))
                .sum()
        };
        let samples: u64 = (0..BUCKETS).map(at).sum();
        // The nearest rank: the smallest latency that at least this many requests did not exceed.
        let rank = (share.clamp(0.0, 1.0) * samples as f64).ceil().max(1.0) as u64;
        let mut seen = 0;
        let found = (0..BUCKETS).find(|bucket| {
            seen += at(*bucket);
            seen >= rank
        });
        let samples = u32::try_from(samples).unwrap_or(u32::MAX);
        (found.map_or(0, upper), samples)
    }

    /// The window of `now`, emptied if it is a new one.
    ///
    /// Whoever turns it over empties it; what others record meanwhile may be lost with the old counts. A clock that
    /// jumps back turns nothing over.
    #[inline]
    fn turn(&self, now: Instant) -> u64 {
        let window = self.origin.nanos(now) / WIDTH;
        let current = self.current.load(Relaxed);
        if window <= current {
            return current;
        }
        self.turn_over(window)
    }

    #[cold]
    fn turn_over(&self, window: u64) -> u64 {
        let before = self.current.fetch_max(window, Relaxed);
        let stale: &[u64] = match window.saturating_sub(before) {
            0 => &[],
            1 => &[0],
            // Both are from before: nothing was recorded for a whole window.
            _ => &[0, 1],
        };
        for back in stale {
            for count in &self.windows[((window + back) % 2) as usize].counts {
                count.store(0, Relaxed);
            }
        }
        before.max(window)
    }
}

/// The bucket of a latency: its power of two and the three bits after the first.
#[inline]
fn bucket(nanos: u64) -> usize {
    let nanos = nanos.max(1 << FIRST);
    let power = nanos.ilog2();
    let step = (nanos >> (power - 3)) as u32 & (STEPS - 1);
    (((power - FIRST) * STEPS + step) as usize).min(BUCKETS - 1)
}

/// The longest latency of a bucket.
fn upper(bucket: usize) -> u64 {
    let (power, step) = (
        bucket as u32 / STEPS + FIRST,
        bucket as u64 % u64::from(STEPS),
    );
    (((u64::from(STEPS) + step + 1) << power) / u64::from(STEPS)) - 1
}
