//! Ring hash: the same key goes to the same endpoint, and a change of the set moves only the keys it must.
//!
//! Each endpoint has points on a ring of 64-bit hashes, in proportion to its weight; a key belongs to the endpoint of
//! the next point (Karger et al., "Consistent Hashing and Random Trees", 1997; libketama's 160 points per server). If
//! that one is not eligible the walk goes on, so that its keys, and only its keys, spread over the others.
//!
//! With a bound on load (Mirrokni, Thorup and Zadimoghaddam, "Consistent Hashing with Bounded Loads", 2016) the walk
//! also passes endpoints that have more than `factor` times their share of all requests in flight: a popular key
//! spills over instead of drowning its endpoint.

use super::hash::{rendezvous, xxh64};

/// Points that are walked before the eligible endpoints are looked at directly.
const WALK: usize = 64;

/// Points on the ring, whatever the configuration: 16 MiB of them.
const MOST_POINTS: u64 = 1 << 20;

/// The shape of a ring.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RingConfig {
    /// Points of an endpoint of mean weight; 160, as libketama has. Shares differ by about `1 / sqrt(points)` (8%).
    pub points: u32,
    /// How many times its share of the requests in flight an endpoint may have before its keys spill over; `None`
    /// (the default) does not look at load. 1.25 is common; values below 1 count as 1.
    pub bound: Option<f64>,
}

impl Default for RingConfig {
    fn default() -> Self {
        Self {
            points: 160,
            bound: None,
        }
    }
}

/// A ring of endpoints.
///
/// ```
/// use guildhall_resilience::balance::{RingConfig, RingHash, xxh64};
///
/// let ring = RingHash::new(RingConfig::default(), [("a", 1), ("b", 1), ("c", 1)]);
/// let key = xxh64(b"session-4711", 0);
/// let first = ring.pick(key, |_| 0, |_| true);
/// assert_eq!(ring.pick(key, |_| 0, |_| true), first, "the same again");
/// assert_ne!(ring.pick(key, |_| 0, |place| Some(place) != first), first);
/// ```
#[derive(Clone, Debug, Default)]
pub struct RingHash {
    /// (hash, place), by hash.
    points: Box<[(u64, u32)]>,
    /// (place, hash of its key) of those with a weight.
    keys: Box<[(u32, u64)]>,
    weights: Box<[u32]>,
    bound: Option<f64>,
}

impl RingHash {
    /// Over endpoints of these keys and weights. A key names an endpoint across processes and restarts: its id or its
    /// address. An endpoint of weight 0 is never picked.
    pub fn new<K: AsRef<[u8]>>(
        config: RingConfig,
        endpoints: impl IntoIterator<Item = (K, u32)>,
    ) -> Self {
        let endpoints: Vec<(K, u32)> = endpoints.into_iter().collect();
        let total: u64 = endpoints.iter().map(|(_, weight)| u64::from(*weight)).sum();
        let weighty = endpoints.iter().filter(|(_, weight)| *weight > 0).count() as u64;
        let wanted = (u64::from(config.points.max(1)) * weighty).min(MOST_POINTS);
        let (mut points, mut keys) = (Vec::new(), Vec::new());
        for (place, (key, weight)) in (0u32..).zip(&endpoints) {
            if *weight == 0 {
                continue;
            }
            let key = key.as_ref();
            let own = u128::from(wanted) * u128::from(*weight) / u128::from(total);
            points.extend((0..own.max(1) as u64).map(|seed| (xxh64(key, seed), place)));
            keys.push((place, xxh64(key, u64::MAX)));
        }
        points.sort_unstable();
        Self {
            points: points.into(),
            keys: keys.into(),
            weights: endpoints.iter().map(|(_, weight)| *weight).collect(),
            bound: config.bound.map(|factor| factor.max(1.0)),
        }
    }

    /// The place of the endpoint that the key of this `hash` belongs to; `None` if none is eligible.
    ///
    /// `load`, requests in flight, is asked only if there is a bound, and then of each endpoint.
    pub fn pick(
        &self,
        hash: u64,
        load: impl Fn(usize) -> u64,
        eligible: impl Fn(usize) -> bool,
    ) -> Option<usize> {
        let Some(factor) = self.bound else {
            return self.walk(hash, eligible);
        };
        let places = || self.keys.iter().map(|(place, _)| *place as usize);
        let (requests, weights) =
            places()
                .filter(|place| eligible(*place))
                .fold((0, 0), |(requests, weights), place| {
                    (
                        requests + load(place),
                        weights + u64::from(self.weights[place]),
                    )
                });
        // The paper's capacity of a bin, with the request at hand counted in: ⌈c (m + 1) / n⌉, by weight.
        let per_weight = factor * (requests + 1) as f64 / weights.max(1) as f64;
        let has_room = |place: usize| {
            (load(place) as f64) < (per_weight * f64::from(self.weights[place])).ceil()
        };
        self.walk(hash, |place| eligible(place) && has_room(place))
            // Loads moved while they were read, and nobody has room: affinity is worth more than a strict bound.
            .or_else(|| self.walk(hash, eligible))
    }

    fn walk(&self, hash: u64, eligible: impl Fn(usize) -> bool) -> Option<usize> {
        let from = self.points.partition_point(|(point, _)| *point < hash);
        let (before, after) = self.points.split_at(from);
        let mut last = None;
        for (_, place) in after.iter().chain(before).take(WALK) {
            let place = *place as usize;
            if last == Some(place) {
                continue;
            }
            if eligible(place) {
                return Some(place);
            }
            last = Some(place);
        }
        rendezvous(hash, &self.keys, eligible)
    }
}
