//! Random, by weight: needs no state and no look at load; the baseline to compare with.
//!
//! Its worst endpoint has about `ln n / ln ln n` times the mean load, where two choices have `ln ln n`
//! (Mitzenmacher); prefer [`P2c`](super::P2c) unless load cannot be known.

use fastrand::Rng;

use super::sampler::Sampler;

/// How often an ineligible draw is drawn again before all endpoints are looked at.
const REDRAWS: usize = 4;

/// Picks endpoints at random, in proportion to their weights.
///
/// ```
/// use guildhall_resilience::balance::Random;
///
/// let balancer = Random::new([1, 0, 3]);
/// let mut random = fastrand::Rng::with_seed(7);
/// assert_eq!(balancer.pick(&mut random, |place| place != 0), Some(2));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Random {
    weights: Box<[u32]>,
    all: Sampler,
}

impl Random {
    /// Over endpoints of these weights. An endpoint of weight 0 is never picked.
    pub fn new(weights: impl IntoIterator<Item = u32>) -> Self {
        let weights: Box<[u32]> = weights.into_iter().collect();
        let all = Sampler::new((0u32..).zip(weights.iter().copied()));
        Self { weights, all }
    }

    /// The place of the endpoint that takes the next request; `None` if none is eligible.
    ///
    /// Of the eligible ones each is picked in proportion to its weight, however many are not.
    pub fn pick(&self, random: &mut Rng, eligible: impl Fn(usize) -> bool) -> Option<usize> {
        if self.all.places().is_empty() {
            return None;
        }
        (0..=REDRAWS)
            .map(|_| self.all.draw(random))
            .find(|place| eligible(*place))
            .or_else(|| self.draw_of_eligible(random, eligible))
    }

    /// The exact draw: one pass for the sum of eligible weights, one for the place. Eligibility may change between the
    /// two; the last eligible one seen then stands.
    fn draw_of_eligible(
        &self,
        random: &mut Rng,
        eligible: impl Fn(usize) -> bool,
    ) -> Option<usize> {
        let candidates = || {
            let places = self.all.places().iter().map(|place| *place as usize);
            places.filter(|place| eligible(*place))
        };
        let total: u64 = candidates()
            .map(|place| u64::from(self.weights[place]))
            .sum();
        let mut share = random.u64(..total.max(1));
        let mut last = None;
        for place in candidates() {
            last = Some(place);
            match share.checked_sub(u64::from(self.weights[place])) {
                None => break,
                Some(rest) => share = rest,
            }
        }
        last
    }
}
