//! From the catalog to nodes and edges.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{Cycle, cycles};
use crate::{
    document::{Namespace, ServiceName, VersionName},
    registry::{Catalog, DependencyType, HealthCounts, ServiceEntry},
};

/// The declared dependencies of one namespace. Everything in it is sorted by name, so that two
/// graphs of the same catalog are equal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Graph {
    /// The namespace; dependencies do not leave it.
    pub namespace: Namespace,
    /// One for each service.
    pub nodes: Vec<Node>,
    /// One for each caller, service called and type.
    pub edges: Vec<Edge>,
    /// Groups of services that call each other in a circle.
    pub cycles: Vec<Cycle>,
    /// Services that are called and not there.
    pub missing: Vec<Missing>,
}

/// One service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Node {
    /// Its name.
    pub service: ServiceName,
    /// Its live versions: those with instances; if none of these was registered, the
    /// newest that was.
    pub versions: Vec<NodeVersion>,
    /// All of its instances by health.
    pub instances: HealthCounts,
}

/// One live version of a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeVersion {
    /// The version; absent for instances that do not say which they run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<VersionName>,
    /// Whether it was registered, and so says what it depends on.
    pub registered: bool,
    /// Its instances by health.
    pub instances: HealthCounts,
}

/// One service calls another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Edge {
    /// The caller.
    pub from: ServiceName,
    /// The service called.
    pub to: ServiceName,
    /// Whether the caller waits.
    #[serde(rename = "type")]
    pub kind: DependencyType,
    /// Whether every version that declares it works without it.
    pub optional: bool,
    /// The live versions of the caller that declare it.
    pub versions: Vec<VersionName>,
    /// The versions of the service called that they ask for, if they do.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub requires: Vec<VersionName>,
}

impl Edge {
    /// Whether the caller breaks when the service called is away.
    pub fn is_hard(&self) -> bool {
        self.kind == DependencyType::Synchronous && !self.optional
    }
}

/// A service that is called and for which nothing is registered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Missing {
    /// Its name.
    pub service: ServiceName,
    /// Who calls it.
    pub wanted_by: Vec<ServiceName>,
}

impl Graph {
    /// The node of a service.
    pub fn node(&self, service: &str) -> Option<&Node> {
        let at = self
            .nodes
            .binary_search_by(|node| node.service.as_str().cmp(service))
            .ok()?;
        Some(&self.nodes[at])
    }

    /// The edges that lead to a service: its consumers.
    pub fn edges_to(&self, service: &str) -> impl Iterator<Item = &Edge> {
        self.edges.iter().filter(move |edge| edge.to == *service)
    }
}

/// The dependencies that the live versions of the namespace's services declare.
pub fn graph(catalog: &Catalog, namespace: &Namespace) -> Graph {
    let mut nodes = Vec::new();
    let mut edges = BTreeMap::new();
    for entry in catalog.services(Some(namespace)) {
        let node = node(entry);
        for live in &node.versions {
            let document = live
                .version
                .as_ref()
                .and_then(|version| entry.versions.get(version));
            for dependency in document
                .iter()
                .flat_map(|document| &document.spec.dependencies)
            {
                let key = (
                    entry.name.clone(),
                    dependency.service.clone(),
                    dependency.kind,
                );
                let draft: &mut Draft = edges.entry(key).or_default();
                draft.needed |= !dependency.optional;
                draft.versions.extend(live.version.clone());
                draft.requires.extend(dependency.version.clone());
            }
        }
        nodes.push(node);
    }
    let edges: Vec<Edge> = edges
        .into_iter()
        .map(|(key, draft)| draft.into_edge(key))
        .collect();
    let mut missing = BTreeMap::<ServiceName, BTreeSet<ServiceName>>::new();
    for edge in &edges {
        if catalog.service(namespace, edge.to.as_str()).is_none() {
            missing
                .entry(edge.to.clone())
                .or_default()
                .insert(edge.from.clone());
        }
    }
    let missing = missing.into_iter().map(|(service, wanted_by)| Missing {
        service,
        wanted_by: wanted_by.into_iter().collect(),
    });
    Graph {
        namespace: namespace.clone(),
        nodes,
        cycles: cycles::find(&edges),
        missing: missing.collect(),
        edges,
    }
}

/// What the versions of a caller say about one dependency, taken together.
#[derive(Default)]
struct Draft {
    needed: bool,
    versions: BTreeSet<VersionName>,
    requires: BTreeSet<VersionName>,
}

impl Draft {
    fn into_edge(self, (from, to, kind): (ServiceName, ServiceName, DependencyType)) -> Edge {
        let (versions, requires) = (
            self.versions.into_iter().collect(),
            self.requires.into_iter().collect(),
        );
        Edge {
            from,
            to,
            kind,
            optional: !self.needed,
            versions,
            requires,
        }
    }
}

fn node(entry: &ServiceEntry) -> Node {
    let mut by_version = BTreeMap::<Option<&VersionName>, HealthCounts>::new();
    let mut instances = HealthCounts::default();
    for instance in entry.instances.values() {
        let health = entry.health(instance);
        instances.add(health);
        by_version
            .entry(instance.spec.version.as_ref())
            .or_default()
            .add(health);
    }
    for version in entry.live_versions() {
        by_version.entry(Some(version)).or_default();
    }
    let versions = by_version
        .into_iter()
        .map(|(version, instances)| NodeVersion {
            version: version.cloned(),
            registered: version.is_some_and(|version| entry.versions.contains_key(version)),
            instances,
        });
    Node {
        service: entry.name.clone(),
        versions: versions.collect(),
        instances,
    }
}
