//! Answers a query from a service's entry.

use std::sync::Arc;

use smallvec::SmallVec;

use super::{Near, Query};
use crate::{
    document::Object,
    registry::{Health, Instance, ServiceEntry},
};

/// The answer to a [`Query`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Discovered {
    /// By id; with [`Query::near`], by nearness and then by id.
    pub instances: Vec<Arc<Object<Instance>>>,
    /// So few were healthy that instances are among them that are not: the service's protection
    /// threshold holds.
    pub protected: bool,
}

/// The instances of a service that `query` asks for.
///
/// If the service has a protection threshold and at most that share of the instances that meet
/// the filters is healthy, all of them are given, flagged: the few that are left would only be
/// overrun. Those that operators hold out of traffic (draining, maintenance) neither count nor
/// are given; that they are out is meant.
pub fn discover(entry: &ServiceEntry, query: &Query) -> Discovered {
    let matching = entry
        .instances
        .values()
        .filter(|instance| query.matches(&instance.spec));
    let mut found = Discovered::default();
    if !query.healthy {
        found.instances.extend(matching.cloned());
    } else if let Some(threshold) = entry.protection_threshold() {
        let held = |health| matches!(health, Health::Draining | Health::Maintenance);
        let meant = matching
            .map(|instance| (entry.health(instance), instance))
            .filter(|(health, _)| !held(*health));
        let meant: SmallVec<[_; 16]> = meant.collect();
        let healthy = meant.iter().filter(|(health, _)| health.is_used()).count();
        found.protected = healthy < meant.len() && healthy as f64 <= threshold * meant.len() as f64;
        let given = meant
            .into_iter()
            .filter(|(health, _)| found.protected || health.is_used());
        found
            .instances
            .extend(given.map(|(_, instance)| instance.clone()));
    } else {
        found.instances.extend(
            matching
                .filter(|instance| entry.health(instance).is_used())
                .cloned(),
        );
    }
    if let Some(near) = &query.near {
        sort_by_nearness(&mut found.instances, near, entry);
    }
    found
}

/// Same zone first, then same region, then the rest; each group keeps its order.
fn sort_by_nearness(instances: &mut [Arc<Object<Instance>>], near: &Near, entry: &ServiceEntry) {
    let in_zone = |instance: &Instance| {
        // An instance that does not say its region may well be in the one that is meant.
        let region = near.region.is_none()
            || instance.region.is_none()
            || near.region.as_deref() == instance.region.as_deref();
        region && instance.zone.as_deref() == Some(&*near.zone)
    };
    // Without a region the fleet says where the zone lies; all of its instances know, also those
    // that the filters leave out.
    let regions: SmallVec<[&str; 2]> = match &near.region {
        Some(region) => [&**region].into_iter().collect(),
        None => {
            let mut regions = SmallVec::new();
            for instance in entry
                .instances
                .values()
                .filter(|instance| in_zone(&instance.spec))
            {
                match instance.spec.region.as_deref() {
                    Some(region) if !regions.contains(&region) => regions.push(region),
                    _ => {}
                }
            }
            regions
        }
    };
    instances.sort_by_key(|instance| {
        let in_region = instance
            .spec
            .region
            .as_deref()
            .is_some_and(|region| regions.contains(&region));
        match (in_zone(&instance.spec), in_region) {
            (true, _) => 0,
            (false, true) => 1,
            (false, false) => 2,
        }
    });
}
