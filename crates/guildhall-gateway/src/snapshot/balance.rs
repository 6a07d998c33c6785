//! Which endpoint of a cluster takes a request, where policies have a say in it: by their balancer, and without those
//! that outlier detection has ejected.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use fastrand::Rng;
use guildhall_core::policy::{
    Rule,
    compile::{BalanceRule, KeyedBy},
};
use guildhall_resilience::{
    balance::{Algorithm, Balancer, Candidate, P2c, PanicThreshold, PeakEwma, Zoned},
    outlier::{Endpoint as Member, Event, Observed, Outlier, Ticket},
};

use super::{cluster::Endpoint, endpoint::EndpointKey, ways::Way};

/// How a cluster's endpoints are chosen by policy. Immutable but for what it shares.
#[derive(Debug)]
pub(crate) struct Balance {
    choice: Choice,
    outlier: Option<Ejecting>,
    panic: PanicThreshold,
    /// By place, where the algorithm goes by them.
    latencies: Vec<Arc<PeakEwma>>,
    /// Whether weights grow with time: whoever holds it builds it again.
    growing: bool,
}

/// Outlier detection, and what it knows of each endpoint, by place.
type Ejecting = (Arc<Outlier<EndpointKey>>, Vec<Arc<Member<EndpointKey>>>);

#[derive(Debug)]
enum Choice {
    /// No policy: as without any.
    Usual,
    Plain(Balancer, KeyedBy),
    Zoned(Zoned, KeyedBy, f64),
}

impl Balance {
    /// `None` if policies have no say. `before` is that of the same cluster, whose turns go on.
    pub(super) fn new(
        way: Option<&Arc<Way>>,
        endpoints: &[Endpoint],
        before: Option<&Self>,
        now: Instant,
    ) -> Option<Self> {
        let way = way?;
        let outlier = way.enforced.outlier.as_ref().map(|guard| {
            let keys = endpoints.iter().map(|endpoint| endpoint.key.clone());
            let members = guard.machine.members(keys, now);
            (Arc::clone(&guard.machine), members)
        });
        let rule = way
            .balance
            .as_ref()
            .map(|rule: &Rule<BalanceRule>| &rule.config);
        if outlier.is_none() && rule.is_none() {
            return None;
        }
        let mut balance = Self {
            choice: Choice::Usual,
            outlier,
            panic: rule.map_or_else(PanicThreshold::default, |rule| rule.panic),
            latencies: Vec::new(),
            growing: false,
        };
        if let Some(rule) = rule {
            balance.rule(rule, endpoints, before, now);
        }
        Some(balance)
    }

    fn rule(
        &mut self,
        rule: &BalanceRule,
        endpoints: &[Endpoint],
        before: Option<&Self>,
        now: Instant,
    ) {
        let mut candidates = Vec::with_capacity(endpoints.len());
        for (place, endpoint) in endpoints.iter().enumerate() {
            let known = now.saturating_duration_since(endpoint.state.since);
            let back = self.member(place).and_then(|member| member.back_for(now));
            let age = back.map_or(known, |back| back.min(known));
            self.growing |= rule.slow_start.is_growing(age);
            candidates.push(Candidate {
                key: endpoint.state.label.as_bytes(),
                weight: rule.slow_start.weight(u32::from(endpoint.weight), age),
            });
        }
        // What an ejected endpoint comes back with grows, too.
        self.growing |= self.outlier.is_some() && rule.slow_start.is_growing(Duration::ZERO);
        if rule.algorithm == Algorithm::PeakEwma {
            let latency = |endpoint: &Endpoint| endpoint.state.latency(rule.ewma, now);
            self.latencies = endpoints.iter().map(latency).collect();
        }
        let hash_on = rule.hash_on.clone();
        self.choice = match rule.zone {
            Some(zone) if endpoints.iter().any(|endpoint| endpoint.local) => {
                let near = |place: usize| endpoints[place].local;
                let zoned = Zoned::new(rule.algorithm, &candidates, near);
                Choice::Zoned(zoned, hash_on, zone.overprovisioning)
            }
            _ => {
                let balancer = match before.map(|before| &before.choice) {
                    Some(Choice::Plain(before, _)) => before.rebuilt(rule.algorithm, &candidates),
                    _ => Balancer::new(rule.algorithm, &candidates),
                };
                Choice::Plain(balancer, hash_on)
            }
        };
    }

    fn member(&self, place: usize) -> Option<&Member<EndpointKey>> {
        let (_, members) = self.outlier.as_ref()?;
        members.get(place).map(|member| &**member)
    }

    pub(super) fn is_growing(&self) -> bool {
        self.growing
    }

    /// What of a request is hashed, where that decides.
    pub(crate) fn hash_on(&self) -> Option<&KeyedBy> {
        match &self.choice {
            Choice::Plain(balancer, by) if balancer.algorithm().uses_hash() => Some(by),
            Choice::Zoned(_, by, _) => Some(by),
            _ => None,
        }
    }

    /// The place of the endpoint that takes the next request; none of those `tried`, and none that is ejected unless
    /// most are.
    pub(super) fn pick(
        &self,
        usual: &P2c,
        endpoints: &[Endpoint],
        hash: u64,
        random: &mut Rng,
        tried: &[usize],
        now: Instant,
    ) -> Option<usize> {
        let ejected = |place: usize| {
            self.member(place)
                .is_some_and(|member| member.is_ejected(now))
        };
        let (mut well, mut near, mut near_well) = (0, 0, 0);
        for (place, endpoint) in endpoints.iter().enumerate() {
            let is_well = !ejected(place);
            well += usize::from(is_well);
            near += usize::from(endpoint.local);
            near_well += usize::from(endpoint.local && is_well);
        }
        let panic = self.panic.is_panic(well, endpoints.len());
        let eligible = |place: usize| !tried.contains(&place) && (panic || !ejected(place));
        let active = |place: usize| endpoints[place].state.load();
        let load = |place: usize| match self.latencies.get(place) {
            Some(latency) => latency.load(active(place), now),
            None => u64::from(active(place)),
        };
        match &self.choice {
            Choice::Usual => usual.pick(random, active, eligible),
            Choice::Plain(balancer, _) => balancer.pick(hash, random, load, eligible),
            Choice::Zoned(zoned, _, headroom) => {
                let share = (headroom.max(1.0) * near_well as f64 / near.max(1) as f64).min(1.0);
                zoned.pick(share, hash, random, load, eligible)
            }
        }
    }

    /// A request to the endpoint at `place` begins.
    pub(crate) fn begin(&self, place: usize) -> Option<Ticket> {
        self.member(place).map(Member::begin)
    }

    /// A request to the endpoint at `place` ended so; `latency` until the head of its answer, if there was one.
    pub(crate) fn end(
        &self,
        place: usize,
        ticket: Option<Ticket>,
        observed: Observed,
        latency: Option<Duration>,
        now: Instant,
    ) {
        if let (Some(latency), Some(ewma)) = (latency, self.latencies.get(place)) {
            ewma.record(latency, now);
        }
        if let (Some((outlier, members)), Some(ticket)) = (&self.outlier, ticket)
            && let Some(member) = members.get(place)
            && let Some(event) = outlier.record(member, ticket, observed, now)
        {
            tell(&event);
        }
    }
}

/// Says what happened to an endpoint.
pub(crate) fn tell(event: &Event<EndpointKey>) {
    let label = |key: &EndpointKey| format!("{}:{}", key.host, key.port);
    let service = |key: &EndpointKey| format!("{}/{}", key.cluster.namespace, key.cluster.service);
    match event {
        Event::Ejected {
            endpoint,
            reason,
            lasts,
        } => tracing::warn!(
            service = service(endpoint),
            endpoint = label(endpoint),
            %reason,
            ?lasts,
            "an endpoint was ejected"
        ),
        Event::Kept { endpoint, reason } => tracing::warn!(
            service = service(endpoint),
            endpoint = label(endpoint),
            %reason,
            "an endpoint would have been ejected, had not so many others been"
        ),
        Event::Returned { endpoint } => tracing::info!(
            service = service(endpoint),
            endpoint = label(endpoint),
            "an ejected endpoint is back"
        ),
    }
}
