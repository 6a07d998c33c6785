//! Power of two choices, least request: draw two endpoints, take the one with less to do.
//!
//! Two random draws find a lightly loaded endpoint almost as well as looking at all of them, and
//! many balancers doing it at once do not all run to the same one (Mitzenmacher, "The Power of Two
//! Choices in Randomized Load Balancing"). Envoy and linkerd balance the same way.
//!
//! Weights count twice: endpoints are drawn in proportion to them, and loads are compared per
//! weight. At equal load per weight the first draw stands, so that a service with little traffic
//! spreads exactly by weight, and a busy one settles where load is in proportion to weight.

use fastrand::Rng;

use super::sampler::Sampler;

/// How often an ineligible or repeated draw is drawn again before all endpoints are looked at.
const REDRAWS: usize = 4;

/// A balancer over a fixed set of endpoints, which are known by their place in it.
///
/// ```
/// use guildhall_resilience::balance::P2c;
///
/// let balancer = P2c::new([1, 1, 0]);
/// let in_flight = [3, 5, 0];
/// let mut random = fastrand::Rng::with_seed(7);
/// let chosen = balancer.pick(&mut random, |place| in_flight[place], |_| true);
/// // Of the two that have a weight, the one with less to do.
/// assert_eq!(chosen, Some(0));
/// ```
#[derive(Clone, Debug, Default)]
pub struct P2c {
    weights: Box<[u32]>,
    preferred: Sampler,
    all: Sampler,
}

impl P2c {
    /// Balances over endpoints of these weights. An endpoint of weight 0 is never picked.
    pub fn new(weights: impl IntoIterator<Item = u32>) -> Self {
        Self::preferring(weights, |_| false)
    }

    /// The same, except that only endpoints that are `preferred` (by place: those of the
    /// balancer's own zone, say) are picked as long as one of them is eligible.
    pub fn preferring(
        weights: impl IntoIterator<Item = u32>,
        preferred: impl Fn(usize) -> bool,
    ) -> Self {
        let weights: Box<[u32]> = weights.into_iter().collect();
        let placed = || (0u32..).zip(weights.iter().copied());
        let all = Sampler::new(placed());
        let preferred = Sampler::new(placed().filter(|(place, _)| preferred(*place as usize)));
        Self {
            weights,
            preferred,
            all,
        }
    }

    /// How many endpoints there are, those without weight included.
    pub fn len(&self) -> usize {
        self.weights.len()
    }

    /// Whether there is no endpoint.
    pub fn is_empty(&self) -> bool {
        self.weights.is_empty()
    }

    /// The place of the endpoint that takes the next request; `None` if none is eligible.
    ///
    /// `load` is what an endpoint has to do at present (its requests in flight); `eligible` says
    /// whether it may be picked: not tried before by this request, not ejected.
    pub fn pick(
        &self,
        random: &mut Rng,
        load: impl Fn(usize) -> u32,
        eligible: impl Fn(usize) -> bool,
    ) -> Option<usize> {
        self.pick_by(random, |place| u64::from(load(place)), eligible)
    }

    /// As [`pick`](Self::pick), by a load of any unit: [`PeakEwma::load`](super::PeakEwma::load).
    pub fn pick_by(
        &self,
        random: &mut Rng,
        load: impl Fn(usize) -> u64,
        eligible: impl Fn(usize) -> bool,
    ) -> Option<usize> {
        self.pick_of(&self.preferred, random, &load, &eligible)
            .or_else(|| self.pick_of(&self.all, random, &load, &eligible))
    }

    fn pick_of(
        &self,
        sampler: &Sampler,
        random: &mut Rng,
        load: &impl Fn(usize) -> u64,
        eligible: &impl Fn(usize) -> bool,
    ) -> Option<usize> {
        match sampler.places() {
            [] => return None,
            [only] => return Some(*only as usize).filter(|place| eligible(*place)),
            _ => {}
        }
        let mut draw = |not: Option<usize>| {
            (0..=REDRAWS)
                .map(|_| sampler.draw(random))
                .find(|place| Some(*place) != not && eligible(*place))
        };
        match draw(None) {
            Some(first) => match draw(Some(first)) {
                Some(second) if self.is_busier(first, second, load) => Some(second),
                // No second one was found, or it has more to do.
                _ => Some(first),
            },
            None => self.least(sampler, random, load, eligible),
        }
    }

    /// Whether `a` has more to do than `b`, per weight.
    fn is_busier(&self, a: usize, b: usize, load: &impl Fn(usize) -> u64) -> bool {
        let scaled =
            |place: usize, other: usize| u128::from(load(place)) * u128::from(self.weights[other]);
        scaled(a, b) > scaled(b, a)
    }

    /// The least loaded eligible endpoint: the way out when draws find none, because most are
    /// ineligible or hold next to no weight. Begins anywhere, so that ties are spread.
    fn least(
        &self,
        sampler: &Sampler,
        random: &mut Rng,
        load: &impl Fn(usize) -> u64,
        eligible: &impl Fn(usize) -> bool,
    ) -> Option<usize> {
        let places = sampler.places();
        let start = random.usize(..places.len());
        let (after, before) = places.split_at(start);
        let candidates = before
            .iter()
            .chain(after)
            .map(|place| *place as usize)
            .filter(|place| eligible(*place));
        candidates.reduce(|best, next| {
            if self.is_busier(best, next, load) {
                next
            } else {
                best
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    /// How often each endpoint is picked in `n` requests that are over at once.
    fn spread(balancer: &P2c, n: usize, eligible: impl Fn(usize) -> bool) -> Vec<usize> {
        let mut random = Rng::with_seed(1);
        let mut picked = vec![0; balancer.len()];
        for _ in 0..n {
            if let Some(place) = balancer.pick(&mut random, |_| 0, &eligible) {
                picked[place] += 1;
            }
        }
        picked
    }

    fn assert_shares(picked: &[usize], shares: &[f64]) {
        let total: usize = picked.iter().sum();
        for (place, share) in shares.iter().enumerate() {
            let got = picked[place] as f64 / total as f64;
            assert!(
                (got - share).abs() < 0.02,
                "{picked:?} where {shares:?} was expected"
            );
        }
    }

    #[test]
    fn idle_endpoints_share_alike() {
        assert_shares(&spread(&P2c::new([1; 4]), 20_000, |_| true), &[0.25; 4]);
    }

    #[test]
    fn idle_endpoints_share_by_weight_and_none_goes_to_zero() {
        let picked = spread(&P2c::new([1, 3, 0, 6]), 20_000, |_| true);
        assert_eq!(picked[2], 0);
        assert_shares(&picked, &[0.1, 0.3, 0.0, 0.6]);
    }

    #[test]
    fn busy_endpoints_settle_in_proportion_to_weight() {
        let balancer = P2c::new([1, 3]);
        let mut random = Rng::with_seed(2);
        let mut load = [0u32; 2];
        for _ in 0..400 {
            let place = balancer
                .pick(&mut random, |place| load[place], |_| true)
                .unwrap();
            load[place] += 1;
        }
        assert!((95..=105).contains(&load[0]), "{load:?}");
    }

    #[test]
    fn the_less_loaded_of_two_is_taken() {
        let balancer = P2c::new([1, 1]);
        let mut random = Rng::with_seed(3);
        for _ in 0..100 {
            assert_eq!(
                balancer.pick(&mut random, |place| [5, 4][place], |_| true),
                Some(1)
            );
        }
    }

    #[test]
    fn no_endpoint_is_far_above_the_mean() {
        // The point of two choices: with one the worst of 100 would stand near 140.
        let balancer = P2c::new([1; 100]);
        let mut random = Rng::with_seed(4);
        let load = RefCell::new([0u32; 100]);
        for _ in 0..10_000 {
            let place = balancer
                .pick(&mut random, |place| load.borrow()[place], |_| true)
                .unwrap();
            load.borrow_mut()[place] += 1;
        }
        let most = *load.borrow().iter().max().unwrap();
        assert!(most <= 106, "{most}");
    }

    #[test]
    fn one_endpoint_is_picked_and_none_is_not() {
        assert_eq!(spread(&P2c::new([1]), 10, |_| true), [10]);
        assert_eq!(spread(&P2c::new([0]), 10, |_| true), [0]);
        assert_eq!(spread(&P2c::new([1]), 10, |_| false), [0]);
        assert_eq!(
            P2c::new([]).pick(&mut Rng::with_seed(5), |_| 0, |_| true),
            None
        );
    }

    #[test]
    fn what_is_not_eligible_is_never_picked() {
        let tried = [0, 2];
        let picked = spread(&P2c::new([100, 1, 100, 1]), 1_000, |place| {
            !tried.contains(&place)
        });
        assert_eq!((picked[0], picked[2]), (0, 0));
        assert_eq!(
            picked[1] + picked[3],
            1_000,
            "the eligible are found however little they weigh"
        );
        assert_eq!(spread(&P2c::new([1; 3]), 10, |_| false), [0; 3]);
    }

    #[test]
    fn the_preferred_are_used_as_long_as_one_is_eligible() {
        let balancer = P2c::preferring([1; 4], |place| place < 2);
        assert_shares(&spread(&balancer, 10_000, |_| true), &[0.5, 0.5, 0.0, 0.0]);
        assert_shares(
            &spread(&balancer, 10_000, |place| place != 0),
            &[0.0, 1.0, 0.0, 0.0],
        );
        assert_shares(
            &spread(&balancer, 10_000, |place| place > 1),
            &[0.0, 0.0, 0.5, 0.5],
        );
    }
}
