//! One balancer of any kind, for settings that name one.

use fastrand::Rng;

use super::{Maglev, MaglevSize, P2c, Random, RingConfig, RingHash, RoundRobin};

/// How endpoints are chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Algorithm {
    /// Two choices by requests in flight: right for most services.
    #[default]
    LeastRequest,
    /// Two choices by latency × requests in flight, for endpoints that differ in speed. The load given to
    /// [`Balancer::pick`] is then [`PeakEwma::load`](super::PeakEwma::load).
    PeakEwma,
    /// Smooth weighted turns: for requests that cost alike.
    RoundRobin,
    /// By weight alone.
    Random,
    /// By the request's hash, on a ring; optionally with bounded loads.
    RingHash(RingConfig),
    /// By the request's hash, in a table.
    Maglev(MaglevSize),
}

impl Algorithm {
    /// Whether the request's hash decides.
    pub fn uses_hash(self) -> bool {
        matches!(self, Self::RingHash(_) | Self::Maglev(_))
    }
}

/// An endpoint as a balancer sees it.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'k> {
    /// Names it across processes and restarts: its id or its address.
    pub key: &'k [u8],
    /// 0 is never picked.
    pub weight: u32,
}

/// A balancer over a fixed set of endpoints, which are known by their place in it.
///
/// ```
/// use guildhall_resilience::balance::{Algorithm, Balancer, Candidate};
///
/// let endpoints = ["10.0.0.1:80", "10.0.0.2:80"].map(|key| Candidate { key: key.as_bytes(), weight: 1 });
/// let balancer = Balancer::new(Algorithm::RoundRobin, &endpoints);
/// let mut random = fastrand::Rng::with_seed(7);
/// assert_eq!(balancer.pick(0, &mut random, |_| 0, |_| true), Some(0));
/// assert_eq!(balancer.pick(0, &mut random, |_| 0, |_| true), Some(1));
/// ```
#[derive(Debug)]
pub struct Balancer {
    algorithm: Algorithm,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    TwoChoices(P2c),
    RoundRobin(RoundRobin),
    Random(Random),
    Ring(RingHash),
    Maglev(Maglev),
}

impl Balancer {
    /// Over `endpoints`.
    pub fn new(algorithm: Algorithm, endpoints: &[Candidate<'_>]) -> Self {
        Self::build(algorithm, endpoints, 0)
    }

    /// Over other endpoints, or by another algorithm, in the place of this one: turns go on where they were.
    #[must_use]
    pub fn rebuilt(&self, algorithm: Algorithm, endpoints: &[Candidate<'_>]) -> Self {
        let position = match &self.kind {
            Kind::RoundRobin(turns) => turns.position(),
            _ => 0,
        };
        Self::build(algorithm, endpoints, position)
    }

    fn build(algorithm: Algorithm, endpoints: &[Candidate<'_>], position: u64) -> Self {
        let weights = endpoints.iter().map(|endpoint| endpoint.weight);
        let named = endpoints
            .iter()
            .map(|endpoint| (endpoint.key, endpoint.weight));
        let kind = match algorithm {
            Algorithm::LeastRequest | Algorithm::PeakEwma => Kind::TwoChoices(P2c::new(weights)),
            Algorithm::RoundRobin => Kind::RoundRobin(RoundRobin::starting_at(position, weights)),
            Algorithm::Random => Kind::Random(Random::new(weights)),
            Algorithm::RingHash(config) => Kind::Ring(RingHash::new(config, named)),
            Algorithm::Maglev(size) => Kind::Maglev(Maglev::new(size, named)),
        };
        Self { algorithm, kind }
    }

    /// How it chooses.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The place of the endpoint that takes the next request; `None` if none is eligible.
    ///
    /// `hash` ([`xxh64`](super::xxh64) of what a client is known by) matters to [`Algorithm::RingHash`] and
    /// [`Algorithm::Maglev`] only. `load` is what an endpoint has to do at present; `eligible` says whether it may be
    /// picked: not tried before by this request, not ejected.
    pub fn pick(
        &self,
        hash: u64,
        random: &mut Rng,
        load: impl Fn(usize) -> u64,
        eligible: impl Fn(usize) -> bool,
    ) -> Option<usize> {
        match &self.kind {
            Kind::TwoChoices(choices) => choices.pick_by(random, load, eligible),
            Kind::RoundRobin(turns) => turns.pick(eligible),
            Kind::Random(draws) => draws.pick(random, eligible),
            Kind::Ring(ring) => ring.pick(hash, load, eligible),
            Kind::Maglev(table) => table.pick(hash, eligible),
        }
    }
}
