//! What the workers route by: compiled by one thread, published whole, read without a lock.
//!
//! - [`fold`]: from documents to snapshots, keeping what did not change.
//! - [`cluster`]: the endpoints of a service at one revision.
//! - [`endpoint`]: what outlives a snapshot: load, and a place in the workers' pools.
//! - [`names`]: hosts that are given by name.
//! - [`thread`]: the thread that does it.

pub(crate) mod cluster;
pub(crate) mod endpoint;
mod fold;
mod names;
mod thread;

use std::{collections::HashMap, sync::Arc};

pub(crate) use cluster::Cluster;
pub(crate) use endpoint::{EndpointState, InFlight};
use guildhall_core::{
    document::Index,
    route::{RouteTable, table::ClusterId},
};
pub(crate) use thread::{SnapshotThread, spawn};

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
}

impl Snapshot {
    pub(crate) fn cluster(&self, id: ClusterId) -> Option<&Arc<Cluster>> {
        self.clusters.get(id.0)
    }

    /// The service that `/{service}/…` reaches by the default route.
    pub(crate) fn service(&self, name: &str) -> Option<&Arc<Cluster>> {
        self.services.get(name)
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
