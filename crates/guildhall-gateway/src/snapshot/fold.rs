//! From documents to snapshots: pure, and in proportion to what changed.
//!
//! | changed | built anew | kept |
//! |---|---|---|
//! | an instance, its status, a service | the clusters of that service | the table, all other clusters |
//! | a route, a gateway | the trees of the hosts concerned | all clusters, all other trees |
//! | a policy | the ways it is on, the clusters of services it is for | all machines, all other ways and clusters |
//! | everything (`Full`) | all of it, compared with what was there | what is the same |
//!
//! Endpoint state lives beside all this and is kept by key (see `endpoint`).

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
    time::{Duration, Instant},
};

use guildhall_core::{
    document::{Document, DocumentKey, Index, Kind, Namespace, Object, ServiceName, Timestamp},
    policy::guard::{Granted, GuardState},
    registry::{Catalog, Touched},
    route::{
        Gateway, HttpRoute, RouteTable,
        table::{ClusterKey, Compiler, Subset},
    },
    source::{Change, Update},
};

use super::{
    Snapshot,
    cluster::{Cluster, Surroundings},
    endpoint::EndpointStates,
    names::Names,
    policing::{Ejection, Policing},
};

/// The documents as they stand, and what was made of them.
#[derive(Debug, Default)]
pub(super) struct Fold {
    pub(super) names: Names,
    zone: Option<String>,
    default_route: bool,
    catalog: Catalog,
    routes: BTreeMap<DocumentKey, Arc<Object<HttpRoute>>>,
    gateways: BTreeMap<DocumentKey, Arc<Object<Gateway>>>,
    compiler: Compiler,
    table: Arc<RouteTable>,
    /// Ordered, so that the clusters of a service stand together.
    clusters: BTreeMap<ClusterKey, Arc<Cluster>>,
    /// Where the table's rules look for a cluster, and what they find there.
    places: HashMap<ClusterKey, usize>,
    placed: Vec<Arc<Cluster>>,
    services: Arc<HashMap<Box<str>, Arc<Cluster>>>,
    states: EndpointStates,
    policing: Policing,
    index: Option<Index>,
    ready: bool,
    health_unknown: bool,
    dirty: Dirty,
}

/// The moment of a snapshot, by both clocks.
#[derive(Clone, Copy, Debug)]
struct At {
    now: Instant,
    wall: Timestamp,
}

/// What must be built anew.
#[derive(Debug, Default)]
struct Dirty {
    routes: BTreeSet<DocumentKey>,
    gateways: bool,
    all_routes: bool,
    services: BTreeSet<Touched>,
    all_services: bool,
}

impl Fold {
    pub(super) fn new(zone: Option<String>, default_route: bool) -> Self {
        Self {
            zone,
            default_route,
            ..Self::default()
        }
    }

    /// Takes in an update; [`Fold::snapshot`] shows its effect.
    pub(super) fn apply(&mut self, update: Update) {
        self.ready = true;
        match update {
            Update::Full { index, documents } => {
                let revision = index.map_or(0, |index| index.revision);
                self.catalog = Catalog::load(&documents, revision);
                self.routes.clear();
                self.gateways.clear();
                self.policing.clear();
                for document in documents {
                    self.keep(document);
                }
                self.index = index;
                self.health_unknown = index.is_none();
                self.dirty.all_routes = true;
                self.dirty.all_services = true;
            }
            Update::Delta { index, changes } => {
                for change in changes {
                    self.dirty
                        .services
                        .extend(self.catalog.apply(&change, index.revision));
                    match change {
                        Change::Put(document) => self.keep(document),
                        Change::Deleted(key) => self.drop(&key),
                    }
                }
                self.index = Some(index);
                // A source that sends changes is connected: what it does not change it confirms.
                self.dirty.all_services |= std::mem::take(&mut self.health_unknown);
            }
        }
    }

    fn keep(&mut self, document: Document) {
        let key = document.key();
        match document {
            Document::HttpRoute(route) => {
                self.dirty.routes.insert(key.clone());
                self.routes.insert(key, route);
            }
            Document::Gateway(gateway) => {
                self.dirty.gateways = true;
                self.gateways.insert(key, gateway);
            }
            Document::Policy(policy) => {
                let Object { metadata, spec, .. } = &*policy;
                self.policing.put(metadata.clone(), spec.clone());
            }
            _ => {}
        }
    }

    fn drop(&mut self, key: &DocumentKey) {
        match key.kind {
            Kind::HttpRoute if self.routes.remove(key).is_some() => {
                self.dirty.routes.insert(key.clone());
            }
            Kind::Gateway => self.dirty.gateways |= self.gateways.remove(key).is_some(),
            Kind::Policy => self.policing.remove(&key.namespace, &key.name),
            _ => {}
        }
    }

    /// Addresses of names changed: the endpoints that have them are built anew.
    pub(super) fn names_changed(&mut self) {
        self.dirty.all_services = true;
    }

    /// The snapshot as everything stands now.
    pub(super) fn snapshot(&mut self, now: Instant, wall: Timestamp) -> Snapshot {
        let mut dirty = std::mem::take(&mut self.dirty);
        let generation = self.table.generation();
        let compiled = self.compile(&dirty);
        let policed = self.policing.refresh();
        if policed {
            self.touch_policed(&mut dirty, now, wall);
        }
        let now = At { now, wall };
        // The first table of a generation places every cluster anew.
        if dirty.all_services || self.table.generation() != generation {
            self.build_all(&dirty, now);
        } else {
            self.build_new(now);
            self.build_touched(&dirty, now);
        }
        if compiled || policed || (self.default_route && !dirty.services.is_empty()) {
            let by_default = self.services.keys().map(|name| &**name);
            self.policing
                .by_rule(&self.compiler, &self.table, by_default, now.now, wall);
        }
        if policed {
            self.policing.forget_unused();
        }
        Snapshot {
            ready: self.ready,
            index: self.index,
            table: Arc::clone(&self.table),
            clusters: self.placed.as_slice().into(),
            services: Arc::clone(&self.services),
            ways: self.policing.ways(),
            exact_limits: self.policing.exact_limits(),
            others: self
                .policing
                .others()
                .iter()
                .filter_map(|key| Some((key.clone(), Arc::clone(self.clusters.get(key)?))))
                .collect(),
        }
    }

    /// The clusters on which policies have changed are built anew.
    fn touch_policed(&mut self, dirty: &mut Dirty, now: Instant, wall: Timestamp) {
        for (key, cluster) in &self.clusters {
            let way = self.policing.of_service(key, now, wall);
            if way.as_ref().map(Arc::as_ptr) != cluster.way.as_ref().map(Arc::as_ptr) {
                dirty.services.insert(service_of(key));
            }
        }
        let others = self.policing.others().iter();
        let new = others.filter(|key| !self.clusters.contains_key(key));
        dirty.services.extend(new.map(service_of));
    }

    /// Compiles the table, if it has changed.
    fn compile(&mut self, dirty: &Dirty) -> bool {
        let gateways = || self.gateways.values().cloned().collect();
        let table = if dirty.all_routes {
            self.compiler
                .compile(self.routes.values().cloned(), gateways())
        } else if dirty.gateways || !dirty.routes.is_empty() {
            let changed = dirty
                .routes
                .iter()
                .map(|key| (key.clone(), self.routes.get(key).cloned()));
            self.compiler.update(changed, dirty.gateways.then(gateways))
        } else {
            return false;
        };
        self.table = Arc::new(table);
        true
    }

    /// Builds the clusters that routes reach since the last snapshot. Those that no route reaches
    /// any more stay until their places are given anew.
    fn build_new(&mut self, now: At) {
        let table = Arc::clone(&self.table);
        for key in &table.clusters()[self.placed.len()..] {
            let cluster = match self.clusters.get(key) {
                Some(known) => Arc::clone(known),
                None => self.build(key, None, false, now),
            };
            self.clusters.insert(key.clone(), Arc::clone(&cluster));
            self.places.insert(key.clone(), self.placed.len());
            self.placed.push(cluster);
        }
    }

    /// Looks at every cluster that routes reach; builds those of touched services.
    fn build_all(&mut self, dirty: &Dirty, now: At) {
        if dirty.all_services {
            self.names.begin_use();
        }
        let mut wanted: BTreeSet<ClusterKey> = self.table.clusters().iter().cloned().collect();
        if self.default_route {
            let namespace = Namespace::default_namespace();
            let services = self.catalog.services(Some(&namespace));
            wanted.extend(services.map(|entry| by_default(entry.name.clone())));
        }
        wanted.extend(self.policing.others().iter().cloned());
        let mut before = std::mem::take(&mut self.clusters);
        for key in wanted {
            let touched = dirty.all_services || dirty.services.contains(&service_of(&key));
            let cluster = match before.remove(&key) {
                Some(known) if !touched => known,
                known => self.build(&key, known, dirty.all_services, now),
            };
            self.clusters.insert(key, cluster);
        }
        for gone in before.values() {
            gone.release(None, &mut self.states, now.now);
        }
        let keys = self.table.clusters();
        self.places = keys.iter().cloned().zip(0..).collect();
        self.placed = keys
            .iter()
            .filter_map(|key| self.clusters.get(key).cloned())
            .collect();
        if self.default_route {
            let mine = self
                .clusters
                .iter()
                .filter(|(key, cluster)| is_by_default(key) && cluster.exists);
            let services =
                mine.map(|(key, cluster)| (key.service.as_str().into(), Arc::clone(cluster)));
            self.services = Arc::new(services.collect());
        }
        if dirty.all_services {
            self.names.forget_unused();
        }
    }

    /// Builds the clusters of touched services and leaves all others alone.
    fn build_touched(&mut self, dirty: &Dirty, now: At) {
        for touched in &dirty.services {
            let first = ClusterKey {
                namespace: touched.namespace.clone(),
                service: touched.service.clone(),
                subset: Subset::DefaultPort,
            };
            let of_service = |key: &ClusterKey| service_of(key) == *touched;
            let known = self
                .clusters
                .range(first.clone()..)
                .map(|(key, _)| key.clone());
            let mut keys: Vec<ClusterKey> = known.take_while(of_service).collect();
            let meant = self.default_route && is_by_default(&first)
                || self.policing.others().contains(&first);
            if meant && !keys.contains(&first) {
                keys.push(first);
            }
            for key in keys {
                let known = self.clusters.remove(&key);
                let cluster = self.build(&key, known, false, now);
                if let Some(place) = self.places.get(&key) {
                    self.placed[*place] = Arc::clone(&cluster);
                } else if !cluster.exists && !self.policing.others().contains(&key) {
                    // Only the default route reached it, and it is gone.
                    Arc::make_mut(&mut self.services).remove(key.service.as_str());
                    continue;
                }
                if self.default_route && is_by_default(&key) {
                    let services = Arc::make_mut(&mut self.services);
                    if cluster.exists {
                        services.insert(key.service.as_str().into(), Arc::clone(&cluster));
                    } else {
                        services.remove(key.service.as_str());
                    }
                }
                self.clusters.insert(key, cluster);
            }
        }
    }

    fn build(
        &mut self,
        key: &ClusterKey,
        known: Option<Arc<Cluster>>,
        same_is_kept: bool,
        at: At,
    ) -> Arc<Cluster> {
        let way = self.policing.of_service(key, at.now, at.wall);
        let entry = self.catalog.service(&key.namespace, key.service.as_str());
        let mut around = Surroundings {
            states: &mut self.states,
            names: &mut self.names,
            health_unknown: self.health_unknown,
            zone: self.zone.as_deref(),
            way,
            before: known.as_deref(),
            now: at.now,
        };
        let built = Cluster::build(key, entry.map(|entry| &**entry), &mut around);
        let Some(known) = known else {
            return Arc::new(built);
        };
        // After a resynchronisation most is as it was.
        if same_is_kept && known.same(&built) {
            return known;
        }
        known.release(Some(&built), &mut self.states, at.now);
        Arc::new(built)
    }

    /// Does what time alone does: forgets endpoint state that has been gone long enough, lets machines of policies move
    /// on. Returns what happened to endpoints.
    pub(super) fn sweep(&mut self, now: Instant) -> Vec<Ejection> {
        self.states.sweep(now);
        self.policing.sweep(now)
    }

    /// Notes clusters whose endpoints' shares have grown; whether there are any, and a snapshot would differ.
    pub(super) fn grow(&mut self) -> bool {
        let growing = self
            .clusters
            .iter()
            .filter(|(_, cluster)| cluster.is_growing());
        let before = self.dirty.services.len();
        self.dirty
            .services
            .extend(growing.map(|(key, _)| service_of(key)));
        self.dirty.services.len() > before
    }

    /// Whether there are machines of policies.
    pub(super) fn is_shown(&self, now: Instant) -> bool {
        self.policing.is_shown(now)
    }

    /// How they stand.
    pub(super) fn guard_states(&self, now: Instant) -> impl Iterator<Item = GuardState> {
        self.policing.states(now)
    }

    /// Tells a limit that others hold to, too, what its part is from now on.
    pub(super) fn grant(&mut self, granted: &Granted, now: Instant) {
        self.policing.grant(granted, now);
    }

    /// The names to look up now.
    pub(super) fn due(&mut self, now: Instant, refresh: Duration) -> Vec<Box<str>> {
        self.names.due(now, refresh)
    }
}

fn service_of(key: &ClusterKey) -> Touched {
    Touched {
        namespace: key.namespace.clone(),
        service: key.service.clone(),
    }
}

/// The cluster that `/{service}/…` reaches by the default route.
fn by_default(service: ServiceName) -> ClusterKey {
    ClusterKey {
        namespace: Namespace::default_namespace(),
        service,
        subset: Subset::DefaultPort,
    }
}

fn is_by_default(key: &ClusterKey) -> bool {
    key.namespace == Namespace::default_namespace() && key.subset == Subset::DefaultPort
}

#[cfg(test)]
mod tests;
