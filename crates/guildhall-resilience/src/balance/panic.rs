//! Panic threshold: when too few endpoints are healthy, health is disregarded.
//!
//! If most of a service is called unhealthy, either the verdict is wrong (a checker's network, a too strict rule) or
//! the few that are left would be crushed by everybody's requests. Both are worse than some requests that fail
//! (Envoy, "Panic threshold"; 50% there and here).

/// Below which share of healthy endpoints all of them are used.
///
/// ```
/// use guildhall_resilience::balance::{P2c, PanicThreshold};
///
/// let ejected = [true, true, true, false];
/// let healthy = ejected.iter().filter(|out| !**out).count();
/// let panic = PanicThreshold::default().is_panic(healthy, ejected.len());
/// assert!(panic, "one of four is fewer than half");
/// let mut random = fastrand::Rng::with_seed(7);
/// let picked = P2c::new([1; 4]).pick(&mut random, |_| 0, |place| panic || !ejected[place]);
/// assert!(picked.is_some());
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PanicThreshold {
    percent: f64,
}

impl Default for PanicThreshold {
    fn default() -> Self {
        Self { percent: 50.0 }
    }
}

impl PanicThreshold {
    /// Panics below `percent` healthy, of 0 (never) to 100; what is outside counts as the nearer of the two.
    pub fn new(percent: f64) -> Self {
        let percent = if percent.is_nan() { 0.0 } else { percent };
        Self {
            percent: percent.clamp(0.0, 100.0),
        }
    }

    /// Whether, with `healthy` of `total` endpoints, all are to be used. Without any endpoint there is no panic.
    pub fn is_panic(&self, healthy: usize, total: usize) -> bool {
        (healthy as f64) * 100.0 < self.percent * total as f64
    }
}
