//! Instances to endpoints, and the choice between them. Pure: randomness is an argument.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use guildhall_core::{
    document::Object,
    registry::{Health, Instance, Protocol, Query, ServiceEntry, discover},
};
use guildhall_resilience::balance::P2c;
use http::uri::Authority;

/// Where one instance is called, and how many calls it has at present.
///
/// It outlives the list it is in: as long as an instance's id and address stay, so does its load.
#[derive(Debug)]
pub(crate) struct Endpoint {
    pub(crate) id: String,
    pub(crate) authority: Authority,
    calls: AtomicU32,
}

/// The endpoints of a service at one moment.
#[derive(Debug, Default)]
pub(crate) struct Endpoints {
    list: Vec<Arc<Endpoint>>,
    balancer: P2c,
    /// How many instances are registered, whatever their health.
    pub(crate) registered: usize,
    /// How many of the healthy ones offer no port that speaks HTTP.
    pub(crate) without_http: usize,
}

/// An endpoint that a call was given; dropping it ends the call.
#[derive(Debug)]
pub(crate) struct Picked(Arc<Endpoint>);

impl Endpoints {
    /// The instances of `entry` to be called; those of `zone` are preferred. While health is not
    /// known all are taken that no operator took out.
    pub(crate) fn of(
        entry: Option<&ServiceEntry>,
        health_known: bool,
        zone: Option<&str>,
        before: &Self,
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
        let found = instances
            .iter()
            .filter_map(|instance| Some((instance, authority(instance)?)));
        let (mut list, mut weights, mut near) = (Vec::new(), Vec::new(), Vec::new());
        for (instance, authority) in found {
            let id = &instance.metadata.name;
            let known = before
                .list
                .iter()
                .find(|known| known.id == *id && known.authority == authority);
            list.push(known.cloned().unwrap_or_else(|| {
                Arc::new(Endpoint {
                    id: id.clone(),
                    authority,
                    calls: AtomicU32::new(0),
                })
            }));
            weights.push(u32::from(instance.spec.weight));
            near.push(zone.is_some() && instance.spec.zone.as_deref() == zone);
        }
        Self {
            without_http: instances.len() - list.len(),
            list,
            balancer: P2c::preferring(weights, |place| near[place]),
            registered: entry.instances.len(),
        }
    }

    /// Chooses the endpoint of the next call.
    pub(crate) fn pick(&self, random: &mut fastrand::Rng) -> Option<Picked> {
        let load = |place: usize| self.list[place].calls.load(Ordering::Relaxed);
        let place = self.balancer.pick(random, load, |_| true)?;
        let endpoint = self.list.get(place)?;
        endpoint.calls.fetch_add(1, Ordering::Relaxed);
        Some(Picked(endpoint.clone()))
    }
}

impl std::ops::Deref for Picked {
    type Target = Endpoint;

    fn deref(&self) -> &Endpoint {
        &self.0
    }
}

impl Drop for Picked {
    fn drop(&mut self) {
        self.0.calls.fetch_sub(1, Ordering::Relaxed);
    }
}

/// `host:port` of the default port if it speaks HTTP, else of the first that does.
fn authority(instance: &Object<Instance>) -> Option<Authority> {
    let port = instance
        .spec
        .ports
        .iter()
        .find(|port| port.protocol == Protocol::Http)?
        .port;
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
        before: &Endpoints,
    ) -> Endpoints {
        let catalog = Catalog::load(documents, 1);
        let entry = catalog
            .service(&Namespace::default(), "users")
            .map(Arc::as_ref);
        Endpoints::of(entry, health_known, zone, before)
    }

    fn ids(endpoints: &Endpoints) -> Vec<&str> {
        endpoints
            .list
            .iter()
            .map(|endpoint| endpoint.id.as_str())
            .collect()
    }

    fn plain(_: &mut Instance) {}

    #[test]
    fn only_the_healthy_are_called_unless_health_is_not_known() {
        let fleet = [
            instance("a", "h", Health::Healthy, plain),
            instance("b", "h", Health::Warning, plain),
            instance("c", "h", Health::Unhealthy, plain),
            instance("d", "h", Health::Draining, plain),
            instance("e", "h", Health::Healthy, |spec| {
                spec.ports[0].protocol = Protocol::Tcp
            }),
        ];
        let none = Endpoints::default();
        let live = endpoints(&fleet, true, None, &none);
        assert_eq!(
            (ids(&live), live.registered, live.without_http),
            (vec!["a", "b"], 5, 1)
        );
        let copy = endpoints(&fleet, false, None, &none);
        assert_eq!(ids(&copy), ["a", "b", "c"]);
        assert!(
            endpoints(&[], true, None, &live)
                .pick(&mut fastrand::Rng::with_seed(1))
                .is_none()
        );
    }

    #[test]
    fn calls_under_way_are_counted_on_while_the_fleet_changes() {
        let mut random = fastrand::Rng::with_seed(2);
        let a = instance("a", "h", Health::Healthy, plain);
        let one = endpoints(std::slice::from_ref(&a), true, None, &Endpoints::default());
        let call = one.pick(&mut random).unwrap();
        let two = endpoints(
            &[a, instance("b", "h", Health::Healthy, plain)],
            true,
            None,
            &one,
        );
        for _ in 0..20 {
            assert_eq!(two.pick(&mut random).unwrap().id, "b");
        }
        drop(call);
        assert_eq!(two.list[0].calls.load(Ordering::Relaxed), 0);
        let moved = endpoints(
            &[instance("a", "elsewhere", Health::Healthy, plain)],
            true,
            None,
            &two,
        );
        assert!(!Arc::ptr_eq(&moved.list[0], &two.list[0]));
    }

    #[test]
    fn the_own_zone_is_preferred() {
        let zoned = |id, zone: &'static str| {
            instance(id, "h", Health::Healthy, |spec| {
                spec.zone = Some(zone.into())
            })
        };
        let all = endpoints(
            &[zoned("a", "z1"), zoned("b", "z2")],
            true,
            Some("z2"),
            &Endpoints::default(),
        );
        let mut random = fastrand::Rng::with_seed(3);
        assert!((0..20).all(|_| all.pick(&mut random).is_some_and(|picked| picked.id == "b")));
    }

    #[test]
    fn an_ipv6_host_is_bracketed() {
        let all = endpoints(
            &[instance("a", "::1", Health::Healthy, plain)],
            true,
            None,
            &Endpoints::default(),
        );
        assert_eq!(all.list[0].authority.as_str(), "[::1]:80");
    }
}
