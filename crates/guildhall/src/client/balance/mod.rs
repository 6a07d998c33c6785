//! Which endpoint takes an attempt: by the policy's balancer, not one that was tried for the same call, and not one that
//! is ejected.
//!
//! A balancer is built for one list of endpoints, and anew when that changes; loads, latencies and ejections belong to
//! the endpoints and stay.

#[cfg(test)]
mod tests;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use fastrand::Rng;
use guildhall_core::policy::{compile::BalanceRule, guard::Way};
use guildhall_resilience::{
    balance::{
        Algorithm, Balancer, Candidate, P2c, PanicThreshold, PeakEwma, SlowStart, ZonePreference,
        Zoned,
    },
    outlier::{self, Observed, Outlier, Ticket},
};

use super::outgoing::Tried;
use crate::{
    discovery::{Endpoint, Endpoints, Placed},
    policy::{Member, Sdk},
};

/// How endpoints of one service are chosen, as long as its policies stay.
#[derive(Debug)]
pub(crate) struct Balancing {
    rule: Option<BalanceRule>,
    outlier: Option<Arc<Outlier<Member>>>,
    built: Mutex<Option<Arc<Built>>>,
    /// What the policies before made, where turns go on.
    before: Option<Arc<Built>>,
}

/// A choice among one list of endpoints.
#[derive(Debug)]
struct Built {
    of: Arc<Endpoints>,
    /// When new endpoints' weights have grown enough to be looked at again.
    until: Option<Instant>,
    choice: Choice,
    /// In the list's order; empty if nothing is ejected.
    records: Vec<Arc<outlier::Endpoint<Member>>>,
    /// In the list's order; empty if latency does not matter.
    latencies: Vec<Arc<PeakEwma>>,
    panic: PanicThreshold,
}

#[derive(Debug)]
enum Choice {
    /// Without a policy: two choices, as long as possible in the own zone.
    Usual(P2c),
    Of(Balancer),
    Near(Zoned, ZonePreference),
}

/// An endpoint that an attempt was given; dropping it ends the attempt.
#[derive(Debug)]
pub(crate) struct Picked {
    pub(crate) endpoint: Arc<Endpoint>,
    began: Instant,
    latency: Option<Arc<PeakEwma>>,
    record: Option<Recorded>,
}

/// Where an attempt's end is told, if instances are ejected.
#[derive(Debug)]
struct Recorded {
    outlier: Arc<Outlier<Member>>,
    endpoint: Arc<outlier::Endpoint<Member>>,
    ticket: Ticket,
}

impl Balancing {
    /// What `way` says, in the place of `before`.
    pub(crate) fn new(way: &Way<Sdk>, before: Option<&Self>) -> Self {
        let outlier = way.enforced.outlier.as_ref();
        let before = before.and_then(|before| before.held().clone());
        Self {
            before,
            ..Self::by(
                way.balance.as_ref().map(|rule| rule.config.clone()),
                outlier.map(|guard| guard.machine.clone()),
            )
        }
    }

    fn held(&self) -> MutexGuard<'_, Option<Arc<Built>>> {
        self.built.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn by(rule: Option<BalanceRule>, outlier: Option<Arc<Outlier<Member>>>) -> Self {
        Self {
            rule,
            outlier,
            built: Mutex::default(),
            before: None,
        }
    }

    /// The endpoint of an attempt, and the attempt's beginning. `hash` is that of what the policy goes by, where it
    /// goes by a hash.
    ///
    /// One that was tried before comes again only if there is no other; one that is ejected, only if there is none
    /// that is not, or so many are that ejections are not believed.
    pub(crate) fn pick(
        &self,
        endpoints: &Arc<Endpoints>,
        tried: &Tried,
        hash: impl FnOnce(&BalanceRule) -> u64,
        random: &mut Rng,
        now: Instant,
    ) -> Option<Picked> {
        let built = self.built(endpoints, now);
        let hash = match &self.rule {
            Some(rule) if rule.algorithm.uses_hash() => hash(rule),
            _ => 0,
        };
        let out = |place: usize| {
            built
                .records
                .get(place)
                .is_some_and(|record| record.is_ejected(now))
        };
        let all = endpoints.list.len();
        let ejected = (0..built.records.len()).filter(|place| out(*place)).count();
        let panic = ejected > 0 && built.panic.is_panic(all - ejected, all);
        let out = |place: usize| ejected > 0 && !panic && out(place);
        let any = tried.any();
        let seen = |place: usize| any && tried.contains(&endpoints.list[place].endpoint);
        let mut choose =
            |eligible: &dyn Fn(usize) -> bool| built.choose(hash, random, ejected, now, eligible);
        let place = choose(&|place| !out(place) && !seen(place))
            .or_else(|| choose(&|place| !out(place)))
            .or_else(|| choose(&|place| !seen(place)))
            .or_else(|| choose(&|_| true))?;
        let endpoint = endpoints.list.get(place)?.endpoint.clone();
        endpoint.begin();
        tried.note(&endpoint);
        Some(Picked {
            endpoint,
            began: now,
            latency: built.latencies.get(place).cloned(),
            record: self.outlier.clone().and_then(|outlier| {
                let endpoint = built.records.get(place)?.clone();
                let ticket = endpoint.begin();
                Some(Recorded {
                    outlier,
                    endpoint,
                    ticket,
                })
            }),
        })
    }

    fn built(&self, endpoints: &Arc<Endpoints>, now: Instant) -> Arc<Built> {
        let mut held = self.held();
        match &*held {
            Some(built)
                if Arc::ptr_eq(&built.of, endpoints)
                    && built.until.is_none_or(|until| now < until) =>
            {
                built.clone()
            }
            held_before => {
                let before = held_before.as_deref().or(self.before.as_deref());
                let built = Arc::new(self.build(endpoints, before, now));
                *held = Some(built.clone());
                built
            }
        }
    }

    fn build(&self, endpoints: &Arc<Endpoints>, before: Option<&Built>, now: Instant) -> Built {
        let list = &endpoints.list;
        let records = self.outlier.as_ref().map_or_else(Vec::new, |outlier| {
            let own = list.iter().map(|placed| &placed.endpoint);
            let all = own.chain(&endpoints.others);
            let mut records = outlier.members(all.map(|endpoint| Member::of(endpoint)), now);
            records.truncate(list.len());
            records
        });
        let near = |place: usize| list[place].near;
        let Some(rule) = &self.rule else {
            let weights = list.iter().map(|placed| placed.weight);
            return Built {
                of: endpoints.clone(),
                until: None,
                choice: Choice::Usual(P2c::preferring(weights, near)),
                records,
                latencies: Vec::new(),
                panic: PanicThreshold::default(),
            };
        };
        let age = |place: usize| {
            let age = now.saturating_duration_since(list[place].endpoint.since);
            let back = records.get(place).and_then(|record| record.back_for(now));
            back.map_or(age, |back| back.min(age))
        };
        // Affinity by hash cannot ramp up: a key is at an endpoint or it is not.
        let slow_start = if rule.algorithm.uses_hash() {
            SlowStart::default()
        } else {
            rule.slow_start
        };
        let growing = (0..list.len()).any(|place| slow_start.is_growing(age(place)));
        let candidates: Vec<Candidate<'_>> = list
            .iter()
            .enumerate()
            .map(|(place, placed)| Candidate {
                key: placed.endpoint.id.as_bytes(),
                weight: slow_start.weight(placed.weight, age(place)),
            })
            .collect();
        let choice = match (rule.zone, before.map(|before| &before.choice)) {
            (Some(zone), _) => Choice::Near(Zoned::new(rule.algorithm, &candidates, near), zone),
            (None, Some(Choice::Of(before))) => {
                Choice::Of(before.rebuilt(rule.algorithm, &candidates))
            }
            _ => Choice::Of(Balancer::new(rule.algorithm, &candidates)),
        };
        let latencies = match rule.algorithm {
            Algorithm::PeakEwma => {
                let latency = |placed: &Placed| placed.endpoint.latency(rule.ewma, now);
                list.iter().map(latency).collect()
            }
            _ => Vec::new(),
        };
        Built {
            of: endpoints.clone(),
            until: growing.then(|| now + slow_start.window / 10),
            choice,
            records,
            latencies,
            panic: rule.panic,
        }
    }
}

impl Built {
    fn choose(
        &self,
        hash: u64,
        random: &mut Rng,
        ejected: usize,
        now: Instant,
        eligible: &dyn Fn(usize) -> bool,
    ) -> Option<usize> {
        let list = &self.of.list;
        let load = |place: usize| {
            let calls = list[place].endpoint.calls();
            match self.latencies.get(place) {
                Some(latency) => latency.load(calls, now),
                None => u64::from(calls),
            }
        };
        match &self.choice {
            Choice::Usual(choices) => choices.pick_by(random, load, eligible),
            Choice::Of(balancer) => balancer.pick(hash, random, load, eligible),
            Choice::Near(zoned, preference) => {
                let near = || (0..list.len()).filter(|place| list[*place].near);
                let total = near().count();
                let healthy = match ejected {
                    0 => total,
                    _ => near()
                        .filter(|place| !self.records[*place].is_ejected(now))
                        .count(),
                };
                let share = preference.share(healthy, total);
                zoned.pick(share, hash, random, load, eligible)
            }
        }
    }
}

impl Picked {
    /// The attempt ended so. One that is dropped instead says nothing.
    pub(crate) fn end(self, service: &str, observed: Observed, now: Instant) {
        self.end_of(service, observed, now, now);
    }

    /// The same of an attempt whose answer began at `answered`: how long it goes on is not the endpoint's doing.
    pub(crate) fn end_of(self, service: &str, observed: Observed, answered: Instant, now: Instant) {
        if let Some(latency) = &self.latency
            && observed == Observed::Success
        {
            latency.record(answered.saturating_duration_since(self.began), now);
        }
        if let Some(to) = &self.record
            && let Some(event) = to.outlier.record(&to.endpoint, to.ticket, observed, now)
        {
            tell(service, &event);
        }
    }
}

impl Drop for Picked {
    fn drop(&mut self) {
        self.endpoint.end();
    }
}

/// Logs what became of an instance of `service`.
pub(crate) fn tell(service: &str, event: &outlier::Event<Member>) {
    use outlier::Event;
    match event {
        Event::Ejected {
            endpoint,
            reason,
            lasts,
        } => {
            tracing::warn!(service, instance = %endpoint, %reason, ?lasts, "an instance is not called for a while");
        }
        Event::Kept { endpoint, reason } => {
            tracing::warn!(service, instance = %endpoint, %reason, "an instance fails, and too many others do to do without it");
        }
        Event::Returned { endpoint } => {
            tracing::info!(service, instance = %endpoint, "an instance is called again");
        }
    }
}
