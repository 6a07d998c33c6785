//! Reads of the catalog.

use std::sync::Arc;

use guildhall_core::access::{Caller, Verb, authorize};
use guildhall_core::document::{DocumentKey, Index, Kind, Namespace, ServiceName};
use guildhall_core::registry::{self, Discovered, Graph, Impact, Query, ServiceEntry, Statistics};

use crate::Error;
use crate::control::Shared;

/// The answer to a discovery.
#[derive(Clone, Debug)]
pub struct Discovery {
    /// The instances asked for.
    pub discovered: Discovered,
    /// The highest revision that touched the service, deletions included: together with the query
    /// it names this answer in a cache; also the index for a long poll.
    pub index: Index,
    /// The service; `None` if nothing is registered for it.
    pub entry: Option<Arc<ServiceEntry>>,
}

pub(super) fn service(
    shared: &Shared,
    caller: &Caller,
    namespace: &Namespace,
    service: &str,
) -> Result<(Index, Option<Arc<ServiceEntry>>), Error> {
    authorize(
        caller,
        Verb::Read,
        Some(Kind::Instance),
        Some(namespace),
        Some(service),
    )?;
    let state = shared.view.load();
    let revision = state.catalog.service_revision(namespace, service);
    let entry = state.catalog.service(namespace, service).cloned();
    Ok((
        Index {
            revision,
            ..state.index
        },
        entry,
    ))
}

pub(super) fn discover(
    shared: &Shared,
    caller: &Caller,
    namespace: &Namespace,
    name: &str,
    query: &Query,
) -> Result<Discovery, Error> {
    let (index, entry) = service(shared, caller, namespace, name)?;
    let discovered = entry
        .as_ref()
        .map(|entry| registry::discover(entry, query))
        .unwrap_or_default();
    Ok(Discovery {
        discovered,
        index,
        entry,
    })
}

pub(super) fn graph(
    shared: &Shared,
    caller: &Caller,
    namespace: &Namespace,
) -> Result<Graph, Error> {
    authorize(
        caller,
        Verb::Read,
        Some(Kind::Service),
        Some(namespace),
        None,
    )?;
    Ok(registry::graph(&shared.view.load().catalog, namespace))
}

pub(super) fn impact(
    shared: &Shared,
    caller: &Caller,
    namespace: &Namespace,
    service: &ServiceName,
) -> Result<Impact, Error> {
    let graph = graph(shared, caller, namespace)?;
    if graph.node(service.as_str()).is_none() && graph.edges_to(service.as_str()).next().is_none() {
        return Err(Error::NotFound(DocumentKey::new(
            Kind::Service,
            namespace.clone(),
            service.as_str(),
        )));
    }
    Ok(registry::impact(&graph, service))
}

pub(super) fn statistics(
    shared: &Shared,
    caller: &Caller,
    namespace: Option<&Namespace>,
) -> Result<Statistics, Error> {
    authorize(caller, Verb::Read, Some(Kind::Service), namespace, None)?;
    Ok(registry::statistics(&shared.view.load().catalog, namespace))
}
