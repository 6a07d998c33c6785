//! Where a backend's requests go: the instances of a service, by one of their ports.

use std::{collections::HashMap, sync::Arc};

use crate::document::{Namespace, ServiceName};

/// The instances of a service, reached at one of their ports.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClusterKey {
    /// The service's namespace.
    pub namespace: Namespace,
    /// The service.
    pub service: ServiceName,
    /// Which port of each instance.
    pub subset: Subset,
}

/// Which port of an instance is meant. Instances without it take no requests.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subset {
    /// The first.
    #[default]
    DefaultPort,
    /// The one of this number.
    Port(u16),
    /// The one of this name.
    PortName(Box<str>),
}

/// A cluster's place in [`super::RouteTable::clusters`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ClusterId(pub usize);

/// Gives each cluster a place that it keeps as long as compiled routes may refer to it.
#[derive(Debug, Default)]
pub(super) struct Clusters {
    ids: HashMap<ClusterKey, ClusterId>,
    keys: Arc<Vec<ClusterKey>>,
}

impl Clusters {
    pub(super) fn intern(&mut self, key: ClusterKey) -> ClusterId {
        let next = ClusterId(self.keys.len());
        let keys = &mut self.keys;
        *self.ids.entry(key).or_insert_with_key(|key| {
            Arc::make_mut(keys).push(key.clone());
            next
        })
    }

    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    /// By place.
    pub(super) fn keys(&self) -> Arc<Vec<ClusterKey>> {
        Arc::clone(&self.keys)
    }
}
