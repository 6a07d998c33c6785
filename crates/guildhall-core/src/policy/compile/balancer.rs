//! `loadBalancer`.

use std::time::Duration;

use guildhall_resilience::balance::{
    Algorithm, MaglevSize, PanicThreshold, PeakEwmaConfig, RingConfig, SlowStart, ZonePreference,
};

use super::{At, KeyedBy, share};
use crate::{
    document::Problems,
    policy::spec::{self, BalancerType, LoadBalancer},
};

/// Which endpoint takes a request.
#[derive(Clone, Debug, PartialEq)]
pub struct BalanceRule {
    /// How endpoints are chosen.
    pub algorithm: Algorithm,
    /// What of a request is hashed, where the algorithm uses a hash.
    pub hash_on: KeyedBy,
    /// How an endpoint's latency is remembered.
    pub ewma: PeakEwmaConfig,
    /// How a new endpoint's weight grows.
    pub slow_start: SlowStart,
    /// How much of its requests the caller's zone keeps, if it is preferred.
    pub zone: Option<ZonePreference>,
    /// Below which share of healthy endpoints all are used.
    pub panic: PanicThreshold,
}

impl LoadBalancer {
    pub(super) fn compile(&self, at: &At<'_>, problems: &mut Problems) -> Option<BalanceRule> {
        let before = problems.0.len();
        let algorithm = self.choice(at, problems);
        let mut hash_on = KeyedBy::default();
        if let Some(key) = &self.consistent_hash {
            key.validate(&at.pointer.field("consistentHash"), problems);
            hash_on = key.compile().unwrap_or_default();
        }
        let mut ewma = PeakEwmaConfig::default();
        if let Some(decay) = self.ewma_decay {
            ewma.decay = decay.get();
        }
        if let Some(start) = self.ewma_default_rtt {
            ewma.start = start.get();
        }
        let slow_start = self
            .slow_start
            .as_ref()
            .map_or_else(SlowStart::default, |spec| spec.compile(at, problems));
        let factor = self.overprovisioning_factor.unwrap_or(140);
        problems.check(
            (100..=1000).contains(&factor),
            at.pointer.field("overprovisioningFactor"),
            "100 to 1000 percent",
        );
        let zone = ZonePreference {
            overprovisioning: f64::from(factor) / 100.0,
        };
        let threshold = self.healthy_panic_threshold.unwrap_or(50.0);
        problems.check(
            (0.0..=100.0).contains(&threshold),
            at.pointer.field("healthyPanicThreshold"),
            "0 (never) to 100 percent",
        );
        (problems.0.len() == before).then(|| BalanceRule {
            algorithm,
            hash_on,
            ewma,
            slow_start,
            zone: self.prefer_local_zone.unwrap_or(false).then_some(zone),
            panic: PanicThreshold::new(threshold),
        })
    }

    /// Everything is checked, whatever the algorithm: the field of another one is for the policy that chooses it.
    fn choice(&self, at: &At<'_>, problems: &mut Problems) -> Algorithm {
        let points = self.ring_points.unwrap_or(RingConfig::default().points);
        problems.check(
            (1..=10_000).contains(&points),
            at.pointer.field("ringPoints"),
            "1 to 10000",
        );
        let bound = self.hash_balance_factor.filter(|factor| *factor > 0);
        problems.check(
            bound.is_none_or(|factor| (100..=1000).contains(&factor)),
            at.pointer.field("hashBalanceFactor"),
            "100 to 1000 percent; 0 does not look at load",
        );
        let ring = RingConfig {
            points,
            bound: bound.map(|factor| f64::from(factor) / 100.0),
        };
        let table = match self.table_size {
            None => Some(MaglevSize::default()),
            Some(size) => [MaglevSize::Small, MaglevSize::Medium, MaglevSize::Large]
                .into_iter()
                .find(|known| known.slots() == size),
        };
        problems.check(
            table.is_some(),
            at.pointer.field("tableSize"),
            "5003, 65537 or 655373",
        );
        match self.algorithm.unwrap_or_default() {
            BalancerType::LeastRequest => Algorithm::LeastRequest,
            BalancerType::PeakEwma => Algorithm::PeakEwma,
            BalancerType::RoundRobin => Algorithm::RoundRobin,
            BalancerType::Random => Algorithm::Random,
            BalancerType::RingHash => Algorithm::RingHash(ring),
            BalancerType::Maglev => Algorithm::Maglev(table.unwrap_or_default()),
        }
    }
}

impl spec::SlowStart {
    fn compile(&self, at: &At<'_>, problems: &mut Problems) -> SlowStart {
        let field = at.pointer.field("slowStart");
        let window = self.window.get();
        let aggression = self.aggression.unwrap_or(1.0);
        let minimum = self.min_weight_percent.unwrap_or(10.0);
        problems.check(
            window <= Duration::from_secs(86_400),
            field.field("window"),
            "24h at most",
        );
        problems.check(
            aggression > 0.0 && aggression <= 10.0,
            field.field("aggression"),
            "above 0 and at most 10; 1 is a straight line",
        );
        problems.check(
            minimum > 0.0 && minimum <= 100.0,
            field.field("minWeightPercent"),
            "above 0 and at most 100 percent",
        );
        SlowStart {
            window,
            aggression,
            minimum: share(minimum),
        }
    }
}
