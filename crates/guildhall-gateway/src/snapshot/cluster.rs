//! The endpoints of a service that requests can be sent to, at one revision.

use std::{net::SocketAddr, sync::Arc, time::Instant};

use fastrand::Rng;
use guildhall_core::{
    document::Object,
    registry::{Health, Instance, Port, Protocol, Query, ServiceEntry, discover},
    route::table::{ClusterKey, Subset},
};
use guildhall_resilience::balance::P2c;

use super::{
    balance::Balance,
    endpoint::{EndpointKey, EndpointState, EndpointStates},
    names::Names,
    ways::Way,
};
use crate::clock;

/// The endpoints of a service, by one of its ports. Immutable.
#[derive(Debug)]
pub(crate) struct Cluster {
    /// `namespace/service`.
    pub(crate) label: Box<str>,
    /// The revision that last touched the service.
    pub(crate) revision: u64,
    /// Whether the service exists.
    pub(crate) exists: bool,
    /// Whether instances were passed over because of what they speak.
    pub(crate) unsupported: bool,
    /// What policies say of requests to the service, whatever the rule.
    pub(crate) way: Option<Arc<Way>>,
    endpoints: Box<[Endpoint]>,
    balancer: P2c,
    /// Where policies have a say in who takes a request.
    balance: Option<Box<Balance>>,
}

/// An endpoint of a cluster.
#[derive(Debug)]
pub(crate) struct Endpoint {
    pub(crate) state: Arc<EndpointState>,
    /// Tried in this order.
    pub(crate) addresses: Arc<[SocketAddr]>,
    pub(super) key: EndpointKey,
    pub(super) weight: u16,
    pub(super) local: bool,
}

/// What a cluster is made of besides the registry.
pub(super) struct Surroundings<'a> {
    pub(super) states: &'a mut EndpointStates,
    pub(super) names: &'a mut Names,
    /// Health in the documents is from before a restart.
    pub(super) health_unknown: bool,
    pub(super) zone: Option<&'a str>,
    /// What policies say.
    pub(super) way: Option<Arc<Way>>,
    /// The same cluster as it was.
    pub(super) before: Option<&'a Cluster>,
    pub(super) now: Instant,
}

impl Cluster {
    /// The cluster `key` of a service; `None` if the service does not exist.
    pub(super) fn build(
        key: &ClusterKey,
        entry: Option<&ServiceEntry>,
        around: &mut Surroundings<'_>,
    ) -> Self {
        let mut unsupported = false;
        let mut endpoints = Vec::new();
        for instance in entry
            .into_iter()
            .flat_map(|entry| usable(entry, around.health_unknown))
        {
            let Some(port) = port(&instance.spec, &key.subset) else {
                continue;
            };
            if port.protocol != Protocol::Http {
                unsupported = true;
                continue;
            }
            let Ok(id) = guildhall_core::document::InstanceId::new(&instance.metadata.name) else {
                continue;
            };
            // A name that was not looked up yet is as good as absent; the lookup's end brings the
            // next snapshot.
            let Some(addresses) = around.names.addresses(&instance.spec.host, port.port) else {
                continue;
            };
            let key = EndpointKey {
                cluster: key.clone(),
                instance: id,
                host: instance.spec.host.as_str().into(),
                port: port.port,
            };
            let state = around.states.take(key.clone(), around.now);
            let local = around.zone.is_some() && around.zone == instance.spec.zone.as_deref();
            endpoints.push(Endpoint {
                state,
                addresses,
                key,
                weight: instance.spec.weight,
                local,
            });
        }
        let weights = endpoints.iter().map(|endpoint| u32::from(endpoint.weight));
        let balancer = P2c::preferring(weights, |place| endpoints[place].local);
        let before = around.before.and_then(|before| before.balance.as_deref());
        let balance = Balance::new(around.way.as_ref(), &endpoints, before, around.now);
        Self {
            label: format!("{}/{}", key.namespace, key.service).into(),
            revision: entry.map_or(0, |entry| entry.revision),
            exists: entry.is_some(),
            unsupported,
            way: around.way.take(),
            endpoints: endpoints.into(),
            balancer,
            balance: balance.map(Box::new),
        }
    }

    pub(crate) fn endpoints(&self) -> &[Endpoint] {
        &self.endpoints
    }

    /// Where policies have a say in who takes a request.
    pub(crate) fn balance(&self) -> Option<&Balance> {
        self.balance.as_deref()
    }

    /// The endpoint that takes the next request; none of those `tried`. `hash` is of what policies balance by, if they
    /// do.
    pub(crate) fn pick(
        &self,
        hash: u64,
        random: &mut Rng,
        tried: &[usize],
    ) -> Option<(usize, &Endpoint)> {
        let place = match &self.balance {
            None => self.usual(random, tried)?,
            Some(balance) => balance.pick(
                &self.balancer,
                &self.endpoints,
                hash,
                random,
                tried,
                clock::now(),
            )?,
        };
        Some((place, &self.endpoints[place]))
    }

    /// The same whatever policies say: rather an endpoint that is ejected than none.
    pub(crate) fn pick_any(&self, random: &mut Rng, tried: &[usize]) -> Option<(usize, &Endpoint)> {
        let place = self.usual(random, tried)?;
        Some((place, &self.endpoints[place]))
    }

    fn usual(&self, random: &mut Rng, tried: &[usize]) -> Option<usize> {
        let load = |place: usize| self.endpoints[place].state.load();
        self.balancer
            .pick(random, load, |place| !tried.contains(&place))
    }

    /// Whether its endpoints' shares grow with time, so that it has to be built again.
    pub(super) fn is_growing(&self) -> bool {
        self.balance
            .as_ref()
            .is_some_and(|balance| balance.is_growing())
    }

    /// Whether requests go the same ways as with `other`; the revision may differ.
    pub(super) fn same(&self, other: &Self) -> bool {
        let same = |a: &Endpoint, b: &Endpoint| {
            Arc::ptr_eq(&a.state, &b.state)
                && a.addresses == b.addresses
                && a.weight == b.weight
                && a.local == b.local
        };
        let way = |cluster: &Self| cluster.way.as_ref().map(Arc::as_ptr);
        self.exists == other.exists
            && way(self) == way(other)
            && !other.is_growing()
            && self.unsupported == other.unsupported
            && self.endpoints.len() == other.endpoints.len()
            && self
                .endpoints
                .iter()
                .zip(&other.endpoints)
                .all(|(a, b)| same(a, b))
    }

    /// Gives back the state of endpoints that `next` does not have.
    pub(super) fn release(&self, next: Option<&Self>, states: &mut EndpointStates, now: Instant) {
        for endpoint in &self.endpoints {
            let kept = next.is_some_and(|next| {
                next.endpoints
                    .iter()
                    .any(|other| Arc::ptr_eq(&other.state, &endpoint.state))
            });
            if !kept {
                states.release(&endpoint.key, now);
            }
        }
    }
}

/// The instances that take requests. What is known of health from before a restart counts for
/// nothing, except that operators held an instance out.
fn usable(entry: &ServiceEntry, health_unknown: bool) -> Vec<Arc<Object<Instance>>> {
    if !health_unknown {
        return discover(entry, &Query::default()).instances;
    }
    let held = |instance: &Object<Instance>| {
        matches!(
            entry.health(instance),
            Health::Draining | Health::Maintenance
        )
    };
    entry
        .instances
        .values()
        .filter(|instance| !held(instance))
        .cloned()
        .collect()
}

fn port<'i>(instance: &'i Instance, subset: &Subset) -> Option<&'i Port> {
    match subset {
        Subset::DefaultPort => instance.default_port(),
        Subset::Port(number) => instance.ports.iter().find(|port| port.port == *number),
        Subset::PortName(name) => instance
            .ports
            .iter()
            .find(|port| port.name.as_deref() == Some(name)),
    }
}
