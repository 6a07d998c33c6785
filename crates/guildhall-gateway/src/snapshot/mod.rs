//! What the workers route by: compiled by one thread, published whole, read without a lock.
//!
//! - [`fold`]: from documents to snapshots, keeping what did not change.
//! - [`cluster`]: the endpoints of a service at one revision; [`balance`]: which of them takes a request.
//! - [`policing`]: from policies to ways; [`ways`]: which way a request is on.
//! - [`endpoint`]: what outlives a snapshot: load, and a place in the workers' pools.
//! - [`names`]: hosts that are given by name.
//! - [`thread`]: the thread that does it.

pub(crate) mod balance;
pub(crate) mod cluster;
pub(crate) mod endpoint;
mod fold;
mod names;
mod policing;
mod thread;
mod ways;

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

pub(crate) use cluster::Cluster;
pub(crate) use endpoint::{EndpointState, InFlight};
use guildhall_core::{
    document::Index,
    route::{
        RouteTable,
        table::{ClusterId, ClusterKey, Rule},
    },
};
pub(crate) use thread::{SnapshotThread, spawn};
use ways::Ways;
pub(crate) use ways::{InGateway, Rules, Way};

/// Everything a worker needs to route, at one position. Immutable.
#[derive(Debug, Default)]
pub(crate) struct Snapshot {
    /// Whether any documents have come yet.
    pub(crate) ready: bool,
    /// Where the documents stand; `None` for those from a disk cache.
    pub(crate) index: Option<Index>,
    pub(crate) table: Arc<RouteTable>,
    /// By the places that the table's rules name.
    clusters: Box<[Arc<Cluster>]>,
    /// The services that the default route reaches, by name; empty while that is off.
    services: Arc<HashMap<Box<str>, Arc<Cluster>>>,
    ways: Arc<Ways>,
    /// How many rules of policies limit rates with scope `Exact`.
    pub(crate) exact_limits: usize,
    /// The services that policies fall back to.
    others: BTreeMap<ClusterKey, Arc<Cluster>>,
}

impl Snapshot {
    pub(crate) fn cluster(&self, id: ClusterId) -> Option<&Arc<Cluster>> {
        self.clusters.get(id.0)
    }

    /// The service that `/{service}/…` reaches by the default route.
    pub(crate) fn service(&self, name: &str) -> Option<&Arc<Cluster>> {
        self.services.get(name)
    }

    /// A service that a policy falls back to.
    pub(crate) fn other(&self, key: &ClusterKey) -> Option<&Arc<Cluster>> {
        self.others.get(key)
    }

    /// What policies say of the requests of `rule` that go to `cluster`, its backend `id`.
    pub(crate) fn way<'s>(
        &'s self,
        rule: &Arc<Rule>,
        id: ClusterId,
        cluster: &'s Cluster,
    ) -> Option<&'s Arc<Way>> {
        self.ways.of_rule(rule, id).or(cluster.way.as_ref())
    }

    /// The same of those that the default route sends to `cluster`, the service of this name.
    pub(crate) fn default_way<'s>(
        &'s self,
        name: &str,
        cluster: &'s Cluster,
    ) -> Option<&'s Arc<Way>> {
        self.ways.of_default(name).or(cluster.way.as_ref())
    }

    /// How many endpoints its routes reach.
    pub(crate) fn endpoints(&self) -> usize {
        self.clusters
            .iter()
            .chain(self.services.values())
            .map(|cluster| cluster.endpoints().len())
            .sum()
    }
}
