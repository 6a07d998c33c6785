//! Instances to endpoints. Pure. Which of them takes a call is chosen in [`crate::client`], by policy.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::Instant,
};

use guildhall_core::{
    document::Object,
    registry::{Health, Instance, Protocol, Query, ServiceEntry, discover},
};
use guildhall_resilience::balance::{PeakEwma, PeakEwmaConfig};
use http::uri::Authority;

/// Where one instance is called, how many calls it has at present, and how long they take.
///
/// It outlives the list it is in: as long as an instance's id and address stay, so does its load.
#[derive(Debug)]
pub(crate) struct Endpoint {
    pub(crate) id: String,
    pub(crate) authority: Authority,
    /// When it was first in the list.
    pub(crate) since: Instant,
    calls: AtomicU32,
    /// Where a balancer goes by it.
    latency: Mutex<Option<(PeakEwmaConfig, Arc<PeakEwma>)>>,
    /// The connections by which it is called by gRPC: they end with it.
    #[cfg(feature = "grpc")]
    pub(crate) connections: crate::client::Connections,
}

/// A service's instances at one moment, as they are called.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fleet {
    /// By HTTP/1.1.
    pub(crate) http: Arc<Endpoints>,
    /// By gRPC.
    #[cfg(feature = "grpc")]
    pub(crate) grpc: Arc<Endpoints>,
}

/// The endpoints of a service that speak one protocol, at one moment.
#[derive(Debug, Default)]
pub(crate) struct Endpoints {
    pub(crate) list: Vec<Placed>,
    /// Those of the same service that speak another one: ejections go by both.
    pub(crate) others: Vec<Arc<Endpoint>>,
    /// How many instances are registered, whatever their health.
    pub(crate) registered: usize,
    /// How many of the healthy ones offer no port that speaks it.
    pub(crate) without_port: usize,
}

/// An endpoint with its place in the fleet.
#[derive(Clone, Debug)]
pub(crate) struct Placed {
    pub(crate) endpoint: Arc<Endpoint>,
    pub(crate) weight: u32,
    /// Whether it is in the caller's zone.
    pub(crate) near: bool,
}

impl Endpoint {
    pub(crate) fn new(id: &str, authority: Authority, now: Instant) -> Self {
        Self {
            id: id.to_owned(),
            authority,
            since: now,
            calls: AtomicU32::new(0),
            latency: Mutex::default(),
            #[cfg(feature = "grpc")]
            connections: crate::client::Connections::default(),
        }
    }

    /// How many calls it has at present.
    pub(crate) fn calls(&self) -> u32 {
        self.calls.load(Ordering::Relaxed)
    }

    /// A call to it begins.
    pub(crate) fn begin(&self) {
        self.calls.fetch_add(1, Ordering::Relaxed);
    }

    /// A call to it is over.
    pub(crate) fn end(&self) {
        self.calls.fetch_sub(1, Ordering::Relaxed);
    }

    /// How long its calls take, remembered by `config`; by another one from now on it goes on where it was.
    pub(crate) fn latency(&self, config: PeakEwmaConfig, now: Instant) -> Arc<PeakEwma> {
        let mut latency = self.latency.lock().unwrap_or_else(PoisonError::into_inner);
        match &*latency {
            Some((known, ewma)) if *known == config => ewma.clone(),
            known => {
                let start = match known {
                    Some((_, ewma)) => ewma.latency(now),
                    None => config.start,
                };
                let ewma = Arc::new(PeakEwma::new(PeakEwmaConfig { start, ..config }, now));
                *latency = Some((config, ewma.clone()));
                ewma
            }
        }
    }
}

impl Fleet {
    /// The instances of `entry` to be called; those of `zone` are near. While health is not known all are taken that
    /// no operator took out.
    pub(crate) fn of(
        entry: Option<&ServiceEntry>,
        health_known: bool,
        zone: Option<&str>,
        before: &Self,
        now: Instant,
    ) -> Self {
        let Some(entry) = entry else {
            return Self::default();
        };
        let mut instances = discover(
            entry,
            &if health_known {
                Query::default()
            } else {
                Query::all()
            },
        )
        .instances;
        if !health_known {
            let held = |health| matches!(health, Health::Draining | Health::Maintenance);
            instances.retain(|instance| !held(entry.health(instance)));
        }
        let endpoints = |protocols: &[Protocol], known: &[&Endpoints]| {
            let found = instances
                .iter()
                .filter_map(|instance| Some((instance, authority(instance, protocols)?)));
            let list: Vec<Placed> = found
                .map(|(instance, authority)| {
                    let id = &instance.metadata.name;
                    let known = known.iter().flat_map(|known| &known.list);
                    let known = known
                        .map(|placed| &placed.endpoint)
                        .find(|known| known.id == *id && known.authority == authority);
                    Placed {
                        endpoint: known
                            .cloned()
                            .unwrap_or_else(|| Arc::new(Endpoint::new(id, authority, now))),
                        weight: u32::from(instance.spec.weight),
                        near: zone.is_some() && instance.spec.zone.as_deref() == zone,
                    }
                })
                .collect();
            Endpoints {
                without_port: instances.len() - list.len(),
                list,
                others: Vec::new(),
                registered: entry.instances.len(),
            }
        };
        Self::with(endpoints, before)
    }

    #[cfg(not(feature = "grpc"))]
    fn with(endpoints: impl Fn(&[Protocol], &[&Endpoints]) -> Endpoints, before: &Self) -> Self {
        Self {
            http: Arc::new(endpoints(&[Protocol::Http], &[&before.http])),
        }
    }

    #[cfg(feature = "grpc")]
    fn with(endpoints: impl Fn(&[Protocol], &[&Endpoints]) -> Endpoints, before: &Self) -> Self {
        let before = [&*before.http, &*before.grpc];
        let mut http = endpoints(&[Protocol::Http], &before);
        // A port that speaks both is one endpoint.
        let known = [&http, before[0], before[1]];
        let mut grpc = endpoints(&[Protocol::Grpc, Protocol::H2c], &known);
        let all = |list: &[Placed]| list.iter().map(|placed| placed.endpoint.clone()).collect();
        http.others = all(&grpc.list);
        grpc.others = all(&http.list);
        Self {
            http: Arc::new(http),
            grpc: Arc::new(grpc),
        }
    }
}

/// `host:port` of the default port if it speaks one of the protocols, else of the first that does; of several protocols
/// the first that any port speaks.
fn authority(instance: &Object<Instance>, protocols: &[Protocol]) -> Option<Authority> {
    let speaks = |protocol: &Protocol| {
        let mut ports = instance.spec.ports.iter();
        ports.find(|port| port.protocol == *protocol)
    };
    let port = protocols.iter().find_map(speaks)?.port;
    let host = instance.spec.host.as_str();
    let text = if host.contains(':') && !host.starts_with('[') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    };
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use guildhall_core::{
        document::{Document, Metadata, Namespace, ServiceName},
        registry::{Catalog, InstanceStatus},
    };

    use super::*;

    fn instance(id: &str, host: &str, health: Health, change: impl Fn(&mut Instance)) -> Document {
        let mut spec = Instance::new(ServiceName::new("users").unwrap(), host, 80);
        change(&mut spec);
        let mut object = Object::new(Metadata::named(Namespace::default(), id), spec);
        object.status = Some(InstanceStatus {
            health,
            ..InstanceStatus::default()
        });
        object.into()
    }

    fn endpoints(
        documents: &[Document],
        health_known: bool,
        zone: Option<&str>,
        before: &Fleet,
        now: Instant,
    ) -> Fleet {
        let catalog = Catalog::load(documents, 1);
        let entry = catalog
            .service(&Namespace::default(), "users")
            .map(Arc::as_ref);
        Fleet::of(entry, health_known, zone, before, now)
    }

    fn ids(endpoints: &Endpoints) -> Vec<&str> {
        endpoints
            .list
            .iter()
            .map(|placed| placed.endpoint.id.as_str())
            .collect()
    }

    fn plain(_: &mut Instance) {}

    #[test]
    fn only_the_healthy_are_called_unless_health_is_not_known() {
        let now = crate::clock::now();
        let fleet = [
            instance("a", "h", Health::Healthy, plain),
            instance("b", "h", Health::Warning, plain),
            instance("c", "h", Health::Unhealthy, plain),
            instance("d", "h", Health::Draining, plain),
            instance("e", "h", Health::Healthy, |spec| {
                spec.ports[0].protocol = Protocol::Tcp
            }),
        ];
        let none = Fleet::default();
        let live = endpoints(&fleet, true, None, &none, now);
        assert_eq!(
            (
                ids(&live.http),
                live.http.registered,
                live.http.without_port
            ),
            (vec!["a", "b"], 5, 1)
        );
        let copy = endpoints(&fleet, false, None, &none, now);
        assert_eq!(ids(&copy.http), ["a", "b", "c"]);
        assert!(endpoints(&[], true, None, &live, now).http.list.is_empty());
    }

    #[test]
    fn an_endpoint_stays_while_the_fleet_changes() {
        let now = crate::clock::now();
        let later = now + std::time::Duration::from_secs(1);
        let a = instance("a", "h", Health::Healthy, plain);
        let none = Fleet::default();
        let one = endpoints(std::slice::from_ref(&a), true, None, &none, now);
        one.http.list[0].endpoint.begin();
        let both = [a, instance("b", "h", Health::Healthy, plain)];
        let two = endpoints(&both, true, None, &one, later);
        assert_eq!(
            (
                two.http.list[0].endpoint.calls(),
                two.http.list[0].endpoint.since
            ),
            (1, now)
        );
        assert_eq!(two.http.list[1].endpoint.since, later);
        let moved = [instance("a", "elsewhere", Health::Healthy, plain)];
        let moved = endpoints(&moved, true, None, &two, later);
        assert!(!Arc::ptr_eq(
            &moved.http.list[0].endpoint,
            &two.http.list[0].endpoint
        ));
    }

    #[test]
    fn the_own_zone_is_near() {
        let zoned = |id, zone: &'static str| {
            instance(id, "h", Health::Healthy, |spec| {
                spec.zone = Some(zone.into())
            })
        };
        let fleet = [zoned("a", "z1"), zoned("b", "z2")];
        let none = Fleet::default();
        let all = endpoints(&fleet, true, Some("z2"), &none, crate::clock::now());
        let near: Vec<bool> = all.http.list.iter().map(|placed| placed.near).collect();
        assert_eq!(near, [false, true]);
    }

    #[test]
    fn an_ipv6_host_is_bracketed() {
        let fleet = [instance("a", "::1", Health::Healthy, plain)];
        let all = endpoints(&fleet, true, None, &Fleet::default(), crate::clock::now());
        assert_eq!(all.http.list[0].endpoint.authority.as_str(), "[::1]:80");
    }
}
