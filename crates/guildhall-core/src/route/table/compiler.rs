//! From documents to a table, keeping what did not change.
//!
//! A change costs what the hosts concerned cost: their trees are built anew from routes that are
//! already compiled and in order. All other hosts keep their trees, all other routes their rules.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
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
    document::{DocumentKey, Namespace, Object, Timestamp},
    route::{
        Gateways,
        host::HostPattern,
        path, pattern,
        spec::{HttpRoute, PathMatchType, RouteMatch, RouteRule},
    },
};

/// Compiles tables one after the other.
#[derive(Debug, Default)]
pub struct Compiler {
    clusters: Clusters,
    gateways: Gateways,
    routes: HashMap<DocumentKey, Known>,
    /// The routes of each host, in order of precedence.
    hosts: HashMap<HostPattern, BTreeMap<Arc<Precedence>, Arc<CompiledRoute>>>,
    /// How many backends all routes name together.
    backends: usize,
    /// How many routes have a rule that says something about retries.
    retrying: usize,
    table: RouteTable,
}

/// Places of clusters beyond twice those in use, before they are given anew.
const STALE_CLUSTERS: usize = 1024;

/// A route and the hosts it is served for.
#[derive(Debug)]
struct Known {
    route: Arc<CompiledRoute>,
    hosts: Vec<HostPattern>,
}

/// A route without the hosts it is served for, which depend on the Gateways.
#[derive(Debug)]
pub(super) struct CompiledRoute {
    document: Arc<Object<HttpRoute>>,
    precedence: Arc<Precedence>,
    pub(super) matches: Vec<CompiledMatch>,
    backends: usize,
    retrying: bool,
}

/// Where a route stands among those that match equally well: the older first, then by namespace
/// and name (Gateway API's order). A route of unknown age is the youngest.
type Precedence = (Timestamp, Namespace, Box<str>);

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

impl Compiler {
    /// The table of exactly these `routes`. Rules that were not validated and cannot be read match
    /// nothing.
    pub fn compile(
        &mut self,
        routes: impl IntoIterator<Item = Arc<Object<HttpRoute>>>,
        gateways: Gateways,
    ) -> RouteTable {
        let mut changes: Vec<(DocumentKey, Option<Arc<Object<HttpRoute>>>)> = Vec::new();
        let mut given = HashSet::new();
        for route in routes {
            let key = route.key();
            changes.push((key.clone(), Some(route)));
            given.insert(key);
        }
        let gone = self.routes.keys().filter(|key| !given.contains(*key));
        changes.extend(gone.map(|key| (key.clone(), None)));
        self.update(changes, Some(gateways))
    }

    /// The table after `changes`: routes that are new or different, and routes that are gone; and
    /// after other `gateways`, if they changed.
    pub fn update(
        &mut self,
        changes: impl IntoIterator<Item = (DocumentKey, Option<Arc<Object<HttpRoute>>>)>,
        gateways: Option<Gateways>,
    ) -> RouteTable {
        let mut touched = BTreeSet::new();
        if let Some(gateways) = gateways {
            self.gateways = gateways;
            self.attach_again(&mut touched);
        }
        for (key, document) in changes {
            let known = self.routes.get(&key);
            if let (Some(known), Some(document)) = (known, &document)
                && known.route.is_of(document)
            {
                continue;
            }
            self.take_out(&key, &mut touched);
            if let Some(document) = document {
                let route = Arc::new(CompiledRoute::new(&document, &mut self.clusters));
                self.put_in(key, route, &mut touched);
            }
        }
        for host in touched {
            let routes = self.hosts.get(&host);
            self.table.set(
                &host,
                routes.map(|routes| Arc::new(HostTree::build(routes.values()))),
            );
        }
        if self.clusters.len() > 2 * self.backends + STALE_CLUSTERS {
            self.give_clusters_anew();
        }
        self.table.clusters = self.clusters.keys();
        self.table.clone()
    }

    /// Whether a rule of any route says something about retries.
    pub fn has_retries(&self) -> bool {
        self.retrying > 0
    }

    pub(super) fn known_routes(&self) -> impl Iterator<Item = (&DocumentKey, &CompiledRoute)> {
        let served = self
            .routes
            .iter()
            .filter(|(_, known)| !known.hosts.is_empty());
        served.map(|(key, known)| (key, &*known.route))
    }

    pub(super) fn gateways(&self) -> &Gateways {
        &self.gateways
    }

    /// Finds the hosts of every route anew.
    fn attach_again(&mut self, touched: &mut BTreeSet<HostPattern>) {
        let known: Vec<_> = self
            .routes
            .iter()
            .map(|(key, known)| (key.clone(), known.route.clone()))
            .collect();
        for (key, route) in known {
            if self
                .routes
                .get(&key)
                .is_some_and(|known| known.hosts != self.hosts_of(&route))
            {
                self.take_out(&key, touched);
                self.put_in(key, route, touched);
            }
        }
    }

    fn hosts_of(&self, route: &CompiledRoute) -> Vec<HostPattern> {
        let attached = self.gateways.attach(&route.document).into_iter();
        let mut hosts: Vec<HostPattern> = attached.filter_map(|a| a.hosts.ok()).flatten().collect();
        hosts.sort();
        hosts.dedup();
        hosts
    }

    fn put_in(
        &mut self,
        key: DocumentKey,
        route: Arc<CompiledRoute>,
        touched: &mut BTreeSet<HostPattern>,
    ) {
        let hosts = self.hosts_of(&route);
        self.backends += route.backends;
        self.retrying += usize::from(route.retrying);
        for host in &hosts {
            let of_host = self.hosts.entry(host.clone()).or_default();
            of_host.insert(Arc::clone(&route.precedence), Arc::clone(&route));
            touched.insert(host.clone());
        }
        self.routes.insert(key, Known { route, hosts });
    }

    fn take_out(&mut self, key: &DocumentKey, touched: &mut BTreeSet<HostPattern>) {
        let Some(known) = self.routes.remove(key) else {
            return;
        };
        self.backends -= known.route.backends;
        self.retrying -= usize::from(known.route.retrying);
        for host in known.hosts {
            if let Some(of_host) = self.hosts.get_mut(&host) {
                of_host.remove(&known.route.precedence);
                if of_host.is_empty() {
                    self.hosts.remove(&host);
                }
            }
            touched.insert(host);
        }
    }

    /// Compiles everything from the start, so that places of clusters that nobody refers to are
    /// given to others.
    fn give_clusters_anew(&mut self) {
        let generation = self.table.generation + 1;
        let documents: Vec<_> = self
            .routes
            .values()
            .map(|known| known.route.document.clone())
            .collect();
        let gateways = std::mem::take(&mut self.gateways);
        *self = Self::default();
        self.table.generation = generation;
        self.compile(documents, gateways);
    }
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
        let age = metadata.created_at.unwrap_or(Timestamp(u64::MAX));
        let precedence = Arc::new((
            age,
            metadata.namespace.clone(),
            metadata.name.as_str().into(),
        ));
        Self {
            document: Arc::clone(document),
            precedence,
            matches,
            backends: rules.iter().map(|rule| rule.backend_refs.len()).sum(),
            retrying: rules.iter().any(|rule| rule.retry.is_some()),
        }
    }

    pub(super) fn document(&self) -> &Object<HttpRoute> {
        &self.document
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
