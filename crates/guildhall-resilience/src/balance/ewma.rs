//! Peak EWMA: an endpoint's load as the time a request is likely to take there, quick to believe bad news.
//!
//! `load = latency × (requests in flight + 1)`, where `latency` jumps to a sample that is above it and otherwise moves
//! towards it: `latency = latency × w + sample × (1 − w)` with `w = e^(−elapsed / decay)`. While nothing is measured it
//! decays towards nothing, so that an endpoint that was slow once is tried again. Balanced by
//! [two choices](super::P2c) over this load.
//!
//! Sources: finagle's `PeakEwma` (`com.twitter.finagle.loadbalancer.PeakEwma`) and linkerd2-proxy, which begins with a
//! default of 30 ms and decays over 10 s; those are the defaults here.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

/// How an endpoint's latency is remembered.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PeakEwmaConfig {
    /// The latency of an endpoint that was not measured yet; 30 ms. Too low, and a new endpoint is overrun; too high,
    /// and it is not tried.
    pub start: Duration,
    /// Over what time a measurement loses all but 1/e of its say; 10 s. No decay at all is asked for with zero: the
    /// last sample stands.
    pub decay: Duration,
}

impl Default for PeakEwmaConfig {
    fn default() -> Self {
        Self {
            start: Duration::from_millis(30),
            decay: Duration::from_secs(10),
        }
    }
}

/// The latency of one endpoint. It belongs to the endpoint, not to the balancer, so that it outlives a change of the
/// set.
///
/// ```
/// use guildhall_resilience::balance::{P2c, PeakEwma, PeakEwmaConfig};
/// use std::time::{Duration, Instant};
///
/// let start = Instant::now();
/// let latencies = [(); 2].map(|()| PeakEwma::new(PeakEwmaConfig::default(), start));
/// let in_flight = [3, 0];
///
/// let now = start + Duration::from_secs(1);
/// latencies[0].record(Duration::from_millis(2), now);
/// latencies[1].record(Duration::from_millis(300), now);
///
/// let mut random = fastrand::Rng::with_seed(7);
/// let load = |place: usize| latencies[place].load(in_flight[place], now);
/// // The busier one is still the faster one.
/// assert_eq!(P2c::new([1, 1]).pick_by(&mut random, load, |_| true), Some(0));
/// ```
#[derive(Debug)]
pub struct PeakEwma {
    origin: Instant,
    /// Nanoseconds; zero where the last sample is to stand.
    decay: f64,
    /// Nanoseconds since `origin` up to which time has been weighed in.
    weighed: AtomicU64,
    /// Nanoseconds, as the bits of an `f64`.
    latency: AtomicU64,
}

impl PeakEwma {
    /// Of an endpoint that is new at `now`.
    pub fn new(config: PeakEwmaConfig, now: Instant) -> Self {
        Self {
            origin: now,
            decay: config.decay.as_nanos() as f64,
            weighed: AtomicU64::new(0),
            latency: AtomicU64::new((config.start.as_nanos() as f64).to_bits()),
        }
    }

    /// A request that took `latency` is over.
    ///
    /// Threads that record at once share the time since the last record between them: it counts for the first, and the
    /// others change nothing unless theirs is a peak. No peak is lost.
    pub fn record(&self, latency: Duration, now: Instant) {
        let sample = latency.as_nanos() as f64;
        let until = self.since_origin(now);
        let weighed = self.weighed.fetch_max(until, Ordering::Relaxed);
        let weight = self.weight(until.saturating_sub(weighed));
        let next = |bits| {
            let before = f64::from_bits(bits);
            let after = if sample > before {
                sample
            } else {
                before * weight + sample * (1.0 - weight)
            };
            Some(after.to_bits())
        };
        let _ = self
            .latency
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, next);
    }

    /// What the latency is thought to be at `now`.
    pub fn latency(&self, now: Instant) -> Duration {
        Duration::from_nanos(self.nanos(now) as u64)
    }

    /// The load that two choices compare: nanoseconds of latency × (`in_flight` + 1).
    pub fn load(&self, in_flight: u32, now: Instant) -> u64 {
        // A cast saturates.
        (self.nanos(now) * (f64::from(in_flight) + 1.0)) as u64
    }

    fn nanos(&self, now: Instant) -> f64 {
        let elapsed = self
            .since_origin(now)
            .saturating_sub(self.weighed.load(Ordering::Relaxed));
        let latency = f64::from_bits(self.latency.load(Ordering::Relaxed));
        if self.decay > 0.0 {
            latency * self.weight(elapsed)
        } else {
            latency
        }
    }

    /// The share that the past keeps after `elapsed` nanoseconds.
    fn weight(&self, elapsed: u64) -> f64 {
        if self.decay > 0.0 {
            (-(elapsed as f64) / self.decay).exp()
        } else {
            0.0
        }
    }

    fn since_origin(&self, now: Instant) -> u64 {
        let nanos = now.saturating_duration_since(self.origin).as_nanos();
        u64::try_from(nanos).unwrap_or(u64::MAX)
    }
}
