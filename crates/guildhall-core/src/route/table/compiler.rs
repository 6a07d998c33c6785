//! From documents to a table, keeping what did not change.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use regex::bytes::Regex;

use super::{
    RouteTable,
    cluster::Clusters,
    rule::{self, RouteId, Rule},
    test::Test,
    tree::HostTree,
};
use crate::{
    document::{Namespace, Object, Timestamp},
    route::{
        Gateways,
        host::HostPattern,
        path, pattern,
        spec::{HttpRoute, PathMatchType, RouteMatch, RouteRule},
    },
};

/// Compiles tables one after the other. Routes that did not change are not compiled again, and a
/// host none of whose routes changed keeps its tree.
#[derive(Debug, Default)]
pub struct Compiler {
    clusters: Clusters,
    routes: HashMap<(Namespace, String), Arc<CompiledRoute>>,
    hosts: HashMap<HostPattern, CompiledHost>,
}

#[derive(Debug)]
struct CompiledHost {
    routes: Vec<Arc<CompiledRoute>>,
    tree: Arc<HostTree>,
}

/// A route without the hosts it is served for, which depend on the Gateways.
#[derive(Debug)]
pub(super) struct CompiledRoute {
    document: Arc<Object<HttpRoute>>,
    pub(super) matches: Vec<CompiledMatch>,
    clusters: usize,
}

/// One match of one rule.
#[derive(Debug)]
pub(super) struct CompiledMatch {
    pub(super) path_type: PathMatchType,
    /// In normal form, unless it is an expression.
    pub(super) path: Box<str>,
    pub(super) regex: Option<Regex>,
    pub(super) test: Arc<Test>,
    pub(super) rule: Arc<Rule>,
}

/// Places of clusters that no route refers to any more, before they are given anew.
const STALE_CLUSTERS: usize = 1024;

impl Compiler {
    /// The table of `routes`. Rules that were not validated and cannot be read match nothing.
    pub fn compile(
        &mut self,
        routes: &[Arc<Object<HttpRoute>>],
        gateways: &Gateways,
    ) -> RouteTable {
        let mut sorted: Vec<&Arc<Object<HttpRoute>>> = routes.iter().collect();
        sorted.sort_by(|a, b| precedence(a).cmp(&precedence(b)));

        let mut kept = HashMap::with_capacity(sorted.len());
        let mut by_host: BTreeMap<HostPattern, Vec<Arc<CompiledRoute>>> = BTreeMap::new();
        for document in sorted {
            let key = (
                document.metadata.namespace.clone(),
                document.metadata.name.clone(),
            );
            let compiled = match self
                .routes
                .remove(&key)
                .filter(|known| known.is_of(document))
            {
                Some(known) => known,
                None => Arc::new(CompiledRoute::new(document, &mut self.clusters)),
            };
            let mut hosts: Vec<HostPattern> = gateways
                .attach(document)
                .into_iter()
                .filter_map(|a| a.hosts.ok())
                .flatten()
                .collect();
            hosts.sort();
            hosts.dedup();
            for host in hosts {
                by_host.entry(host).or_default().push(Arc::clone(&compiled));
            }
            kept.insert(key, compiled);
        }
        self.routes = kept;

        let used: usize = self.routes.values().map(|route| route.clusters).sum();
        if self.clusters.keys().len() > 2 * used + STALE_CLUSTERS {
            *self = Self::default();
            return self.compile(routes, gateways);
        }

        let mut known = std::mem::take(&mut self.hosts);
        let mut table = RouteTable {
            clusters: self.clusters.keys().into(),
            ..RouteTable::default()
        };
        for (host, routes) in by_host {
            let same = |of: &CompiledHost| {
                of.routes.len() == routes.len()
                    && of
                        .routes
                        .iter()
                        .zip(&routes)
                        .all(|(a, b)| Arc::ptr_eq(a, b))
            };
            let compiled = known.remove(&host).filter(same).unwrap_or_else(|| {
                let tree = Arc::new(HostTree::build(&routes));
                CompiledHost { routes, tree }
            });
            table.insert(&host, Arc::clone(&compiled.tree));
            self.hosts.insert(host, compiled);
        }
        table
    }
}

/// The older first, then by name (Gateway API's order for routes that match equally well). A
/// route of unknown age is the youngest.
fn precedence(route: &Object<HttpRoute>) -> (Timestamp, &str, &str) {
    let metadata = &route.metadata;
    (
        metadata.created_at.unwrap_or(Timestamp(u64::MAX)),
        metadata.namespace.as_str(),
        &metadata.name,
    )
}

impl CompiledRoute {
    fn new(document: &Arc<Object<HttpRoute>>, clusters: &mut Clusters) -> Self {
        let metadata = &document.metadata;
        let id = Arc::new(RouteId {
            namespace: metadata.namespace.clone(),
            name: metadata.name.as_str().into(),
            revision: metadata.revision,
        });
        let everything = [RouteRule::default()];
        let rules = if document.spec.rules.is_empty() {
            &everything[..]
        } else {
            &document.spec.rules
        };
        let mut matches = Vec::new();
        for (index, spec) in rules.iter().enumerate() {
            let rule = Arc::new(rule::compile(spec, index, document, &id, clusters));
            let any = [RouteMatch::default()];
            let of = if spec.matches.is_empty() {
                &any[..]
            } else {
                &spec.matches
            };
            matches.extend(of.iter().filter_map(|one| CompiledMatch::new(one, &rule)));
        }
        let clusters = rules.iter().map(|rule| rule.backend_refs.len()).sum();
        Self {
            document: Arc::clone(document),
            matches,
            clusters,
        }
    }

    /// Whether this was compiled from the same document, whatever its status.
    fn is_of(&self, document: &Arc<Object<HttpRoute>>) -> bool {
        Arc::ptr_eq(&self.document, document)
            || (self.document.metadata.revision == document.metadata.revision
                && self.document.metadata.created_at == document.metadata.created_at
                && self.document.spec == document.spec)
    }
}

impl CompiledMatch {
    fn new(of: &RouteMatch, rule: &Arc<Rule>) -> Option<Self> {
        let asked = of.path();
        let (path, regex) = match asked.match_type {
            PathMatchType::RegularExpression => {
                let regex = pattern::compile(&asked.value).ok()?;
                (asked.value.into(), Some(regex))
            }
            PathMatchType::Exact | PathMatchType::PathPrefix => {
                (path::normalise(&asked.value).ok()?.as_ref().into(), None)
            }
        };
        let test = Arc::new(Test::compile(of)?);
        Some(Self {
            path_type: asked.match_type,
            path,
            regex,
            test,
            rule: Arc::clone(rule),
        })
    }
}
