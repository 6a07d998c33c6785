//! Zone preference: requests stay near as long as what is near can bear them.
//!
//! A zone whose endpoints are mostly gone must not keep its requests: the one that is left would take them all. As
//! many stay as its healthy share allows, with some headroom: `min(1, 1.4 × healthy / total)`, so that up to 28% may
//! be gone before anything leaves the zone (Envoy's overprovisioning factor of priority levels).

use fastrand::Rng;

use super::balancer::{Algorithm, Balancer, Candidate};

/// How much of its requests a zone keeps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ZonePreference {
    /// By how much the healthy share may be exceeded; 1.4. Values below 1 count as 1.
    pub overprovisioning: f64,
}

impl Default for ZonePreference {
    fn default() -> Self {
        Self {
            overprovisioning: 1.4,
        }
    }
}

impl ZonePreference {
    /// The share of requests, 0 to 1, that stays in a zone with `healthy` of `total` endpoints.
    pub fn share(&self, healthy: usize, total: usize) -> f64 {
        if total == 0 {
            return 0.0;
        }
        (self.overprovisioning.max(1.0) * healthy as f64 / total as f64).min(1.0)
    }
}

/// Two balancers over the same places: the near endpoints, and the others.
///
/// ```
/// use guildhall_resilience::balance::{Algorithm, Candidate, Zoned, ZonePreference};
///
/// let zones = ["a", "a", "b", "b"];
/// let endpoints = ["w", "x", "y", "z"].map(|key| Candidate { key: key.as_bytes(), weight: 1 });
/// let balancer = Zoned::new(Algorithm::LeastRequest, &endpoints, |place| zones[place] == "a");
/// let mut random = fastrand::Rng::with_seed(7);
/// let share = ZonePreference::default().share(2, 2);
/// let picked = balancer.pick(share, 0, &mut random, |_| 0, |_| true);
/// assert!(matches!(picked, Some(0 | 1)));
/// ```
#[derive(Debug)]
pub struct Zoned {
    near: Balancer,
    far: Balancer,
}

impl Zoned {
    /// Over `endpoints`, those of which are near that `near` says so of, by place.
    pub fn new(
        algorithm: Algorithm,
        endpoints: &[Candidate<'_>],
        near: impl Fn(usize) -> bool,
    ) -> Self {
        let side = |wanted: bool| {
            let weights = endpoints.iter().enumerate().map(|(place, endpoint)| {
                let weight = if near(place) == wanted {
                    endpoint.weight
                } else {
                    0
                };
                Candidate {
                    weight,
                    ..*endpoint
                }
            });
            let endpoints: Vec<Candidate<'_>> = weights.collect();
            Balancer::new(algorithm, &endpoints)
        };
        Self {
            near: side(true),
            far: side(false),
        }
    }

    /// As [`Balancer::pick`]; `share` of the requests (see [`ZonePreference::share`]) stay near. If none is eligible
    /// on one side, the other takes the request.
    pub fn pick(
        &self,
        share: f64,
        hash: u64,
        random: &mut Rng,
        load: impl Fn(usize) -> u64,
        eligible: impl Fn(usize) -> bool,
    ) -> Option<usize> {
        let (first, second) = if share >= 1.0 || random.f64() < share {
            (&self.near, &self.far)
        } else {
            (&self.far, &self.near)
        };
        first
            .pick(hash, random, &load, &eligible)
            .or_else(|| second.pick(hash, random, &load, &eligible))
    }
}
