//! One service with all that is registered for it.

use std::{collections::BTreeSet, sync::Arc};

use imbl::OrdMap;

use crate::{
    document::{InstanceId, Namespace, Object, ServiceName, VersionName},
    registry::{Check, ContractPolicy, Health, Instance, Service, ServiceVersion, status},
};

/// A service: what operators say of it, what its code says, and what runs.
///
/// Any of the three may be missing: a service that nobody defined exists through its instances.
#[derive(Clone, Debug, PartialEq)]
pub struct ServiceEntry {
    /// The namespace it lives in.
    pub namespace: Namespace,
    /// Its name.
    pub name: ServiceName,
    /// The operators' document.
    pub service: Option<Arc<Object<Service>>>,
    /// The versions that were registered.
    pub versions: OrdMap<VersionName, Arc<Object<ServiceVersion>>>,
    /// The instances, by id.
    pub instances: OrdMap<InstanceId, Arc<Object<Instance>>>,
    /// The highest revision that touched a key of this service: its own document, its versions,
    /// its instances and their status, deletions included. A long poll's index; never goes back.
    pub revision: u64,
}

impl ServiceEntry {
    pub(super) fn new(namespace: Namespace, name: ServiceName) -> Self {
        Self {
            namespace,
            name,
            service: None,
            versions: OrdMap::new(),
            instances: OrdMap::new(),
            revision: 0,
        }
    }

    /// Whether its last document is gone.
    pub fn is_empty(&self) -> bool {
        self.service.is_none() && self.versions.is_empty() && self.instances.is_empty()
    }

    /// The checks of instances that bring none of their own.
    pub fn default_checks(&self) -> &[Check] {
        self.service
            .as_ref()
            .map_or(&[], |service| &service.spec.checks)
    }

    /// The checks that decide about `instance`: its own, else the service's.
    pub fn checks<'a>(&'a self, instance: &'a Instance) -> &'a [Check] {
        status::effective_checks(instance, self.default_checks())
    }

    /// The health of one of this service's instances: what its status says; without a status,
    /// what follows from its checks.
    pub fn health(&self, instance: &Object<Instance>) -> Health {
        match &instance.status {
            Some(status) => status.health,
            None => status::initial_health(self.checks(&instance.spec)),
        }
    }

    /// The share of healthy instances at or under which discovery answers with all of them;
    /// `None` while that is off.
    pub fn protection_threshold(&self) -> Option<f64> {
        let threshold = self.service.as_ref()?.spec.protection_threshold?;
        (threshold > 0.0).then_some(threshold)
    }

    /// What happens when a version breaks its consumers' contract.
    pub fn contract_policy(&self) -> ContractPolicy {
        self.service
            .as_ref()
            .map_or_else(ContractPolicy::default, |service| {
                service.spec.contract_policy
            })
    }

    /// The version registered last.
    pub fn newest_version(&self) -> Option<&VersionName> {
        let age = |object: &Object<ServiceVersion>| {
            (object.metadata.created_at, object.metadata.revision)
        };
        self.versions
            .iter()
            .max_by_key(|(_, object)| age(object))
            .map(|(version, _)| version)
    }

    /// The registered versions that are live: those that instances run; the newest if none of
    /// the registered ones has an instance.
    pub fn live_versions(&self) -> Vec<&VersionName> {
        let running: BTreeSet<&VersionName> = self
            .instances
            .values()
            .filter_map(|instance| instance.spec.version.as_ref())
            .collect();
        let mut live: Vec<_> = self
            .versions
            .keys()
            .filter(|version| running.contains(version))
            .collect();
        if live.is_empty() {
            live.extend(self.newest_version());
        }
        live
    }
}
