//! How many there are of what, and how they are.

use serde::{Deserialize, Serialize};

use super::{Catalog, Health, ServiceEntry};
use crate::document::{Namespace, ServiceName};

/// Instances by health.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HealthCounts {
    /// All of them.
    pub total: usize,
    /// Every check passes.
    pub healthy: usize,
    /// Used, though some check warns.
    pub warning: usize,
    /// Some check is critical.
    pub unhealthy: usize,
    /// No check has answered yet.
    pub starting: usize,
    /// Finishing what they have.
    pub draining: usize,
    /// Taken out by an operator.
    pub maintenance: usize,
}

impl HealthCounts {
    /// Counts one more instance.
    pub fn add(&mut self, health: Health) {
        self.total += 1;
        *match health {
            Health::Healthy => &mut self.healthy,
            Health::Warning => &mut self.warning,
            Health::Unhealthy => &mut self.unhealthy,
            Health::Starting => &mut self.starting,
            Health::Draining => &mut self.draining,
            Health::Maintenance => &mut self.maintenance,
        } += 1;
    }

    /// Those that take traffic.
    pub fn used(&self) -> usize {
        self.healthy + self.warning
    }
}

impl FromIterator<Health> for HealthCounts {
    fn from_iter<I: IntoIterator<Item = Health>>(healths: I) -> Self {
        let mut counts = Self::default();
        healths.into_iter().for_each(|health| counts.add(health));
        counts
    }
}

impl std::ops::AddAssign for HealthCounts {
    fn add_assign(&mut self, other: Self) {
        self.total += other.total;
        self.healthy += other.healthy;
        self.warning += other.warning;
        self.unhealthy += other.unhealthy;
        self.starting += other.starting;
        self.draining += other.draining;
        self.maintenance += other.maintenance;
    }
}

/// The registry in numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Statistics {
    /// Services, whether somebody defined them or not.
    pub services: usize,
    /// Registered versions.
    pub versions: usize,
    /// Instances by health.
    pub instances: HealthCounts,
    /// The same for each service, by namespace and name.
    pub breakdown: Vec<ServiceStatistics>,
}

/// One service in numbers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceStatistics {
    /// Its namespace.
    pub namespace: Namespace,
    /// Its name.
    pub service: ServiceName,
    /// Registered versions.
    pub versions: usize,
    /// Instances by health.
    pub instances: HealthCounts,
}

/// The numbers of one namespace, or of all.
pub fn statistics(catalog: &Catalog, namespace: Option<&Namespace>) -> Statistics {
    let mut all = Statistics::default();
    for entry in catalog.services(namespace) {
        let instances = counts(entry);
        all.services += 1;
        all.versions += entry.versions.len();
        all.instances += instances;
        all.breakdown.push(ServiceStatistics {
            namespace: entry.namespace.clone(),
            service: entry.name.clone(),
            versions: entry.versions.len(),
            instances,
        });
    }
    all
}

/// The instances of one service by health.
pub fn counts(entry: &ServiceEntry) -> HealthCounts {
    entry
        .instances
        .values()
        .map(|instance| entry.health(instance))
        .collect()
}
