//! From policies to ways: which hold for which requests, with the machines that outlive every change.
//!
//! | changed | asked anew | kept |
//! |---|---|---|
//! | a policy | every way; those on which nothing differs stay the very same | all machines |
//! | a route, a Gateway | the ways of rules, if policies name routes or Gateways, or rules have a `retry` | the ways of services, all machines |
//! | an instance | nothing | everything |

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    fmt,
    sync::Arc,
    time::Instant,
};

use guildhall_core::{
    document::{Metadata, Namespace, ServiceName, Timestamp},
    policy::{
        Chain, Policies, Policy, Resolved,
        guard::{Granted, GuardState, Guards},
        spec::{Mode, RateLimitScope, TargetKind},
    },
    route::{
        IMPLICIT_GATEWAY, RouteTable,
        table::{Action, ClusterKey, Compiler, RuleRetry, ServedBy, Subset},
    },
};

use super::{
    endpoint::EndpointKey,
    ways::{InGateway, Way, Ways},
};

/// Ways of services that are gone, beyond twice those in use, before they are forgotten.
const MOST_STALE: usize = 4096;

/// All policies, and what was made of them.
pub(super) struct Policing {
    documents: BTreeMap<(Namespace, String), (Metadata, Policy)>,
    policies: Policies,
    guards: Guards<InGateway>,
    /// The routes that policies name.
    routes: HashSet<(Namespace, String)>,
    /// Whether policies name Gateways.
    gateways: bool,
    /// How many of their rules limit rates with scope `Exact`.
    exact_limits: usize,
    /// What each way was made of, so that one on which nothing differs stays.
    known: HashMap<(Chain, Option<RuleRetry>, ClusterKey), Known>,
    ways: Arc<Ways>,
    /// The services that policies fall back to.
    others: BTreeSet<ClusterKey>,
    /// How many ways were known after the last look at all of them.
    settled: usize,
    dirty: bool,
}

#[derive(Debug)]
struct Known {
    here: Resolved,
    own: Resolved,
    /// `None` if there is nothing to do.
    way: Option<Arc<Way>>,
    used: bool,
}

/// What happened to an endpoint of a service.
pub(super) type Ejection = guildhall_core::policy::guard::Ejection<EndpointKey>;

impl Default for Policing {
    fn default() -> Self {
        Self {
            documents: BTreeMap::new(),
            policies: Policies::default(),
            // Each process has its own, so that breakers of several do not come back together.
            guards: Guards::new(fastrand::u64(..)),
            routes: HashSet::new(),
            gateways: false,
            exact_limits: 0,
            known: HashMap::new(),
            ways: Arc::default(),
            others: BTreeSet::new(),
            settled: 0,
            dirty: false,
        }
    }
}

impl fmt::Debug for Policing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Policing")
            .field("policies", &self.documents.len())
            .field("ways", &self.known.len())
            .finish_non_exhaustive()
    }
}

impl Policing {
    /// A policy as it stands now.
    pub(super) fn put(&mut self, metadata: Metadata, policy: Policy) {
        let key = (metadata.namespace.clone(), metadata.name.clone());
        self.documents.insert(key, (metadata, policy));
        self.dirty = true;
    }

    /// A policy is gone.
    pub(super) fn remove(&mut self, namespace: &Namespace, name: &str) {
        let key = (namespace.clone(), name.to_owned());
        self.dirty |= self.documents.remove(&key).is_some();
    }

    /// Every document comes again.
    pub(super) fn clear(&mut self) {
        self.documents.clear();
        self.dirty = true;
    }

    /// Takes changes in; whether there were any.
    pub(super) fn refresh(&mut self) -> bool {
        if !std::mem::take(&mut self.dirty) {
            return false;
        }
        let documents = || self.documents.values();
        self.policies = Policies::new(documents().map(|(metadata, policy)| (metadata, policy)));
        self.routes.clear();
        self.gateways = false;
        self.others.clear();
        let of_policies = documents().filter(|(_, policy)| policy.mode != Mode::Off);
        self.exact_limits = of_policies
            .filter_map(|(_, policy)| policy.rate_limit.as_ref()?.rules.as_ref())
            .flatten()
            .filter(|rule| rule.scope == Some(RateLimitScope::Exact))
            .count();
        for (metadata, policy) in documents() {
            for target in &policy.target_refs {
                let namespace = metadata.namespace.clone();
                match target.kind {
                    TargetKind::HttpRoute => {
                        self.routes.insert((namespace, target.name.clone()));
                    }
                    TargetKind::Gateway => self.gateways = true,
                    _ => {}
                }
            }
            let fallback = policy.fallback.as_ref();
            let sources = fallback.and_then(|fallback| fallback.sources.as_ref());
            let services = sources.into_iter().flatten();
            self.others
                .extend(
                    services
                        .filter_map(|source| source.service.as_ref())
                        .map(|service| ClusterKey {
                            namespace: service
                                .namespace
                                .clone()
                                .unwrap_or_else(|| metadata.namespace.clone()),
                            service: service.name.clone(),
                            subset: Subset::DefaultPort,
                        }),
                );
        }
        for known in self.known.values_mut() {
            known.used = false;
        }
        true
    }

    /// What holds for requests to `service` whatever the rule; `None` if nothing does.
    pub(super) fn of_service(
        &mut self,
        service: &ClusterKey,
        now: Instant,
        wall: Timestamp,
    ) -> Option<Arc<Way>> {
        if self.documents.is_empty() && self.known.is_empty() {
            return None;
        }
        self.way(own(service), None, service, now, wall)
    }

    fn way(
        &mut self,
        chain: Chain,
        stated: Option<&RuleRetry>,
        service: &ClusterKey,
        now: Instant,
        wall: Timestamp,
    ) -> Option<Arc<Way>> {
        let key = (chain, stated.cloned(), service.clone());
        let known = self.known.get_mut(&key);
        if let Some(known) = known.filter(|known| known.used) {
            return known.way.clone();
        }
        let here = self.policies.resolve(&key.0);
        let own = self.policies.resolve(&own(service));
        if let Some(known) = self.known.get_mut(&key)
            && (&known.here, &known.own) == (&here, &own)
        {
            known.used = true;
            return known.way.clone();
        }
        let way = self
            .guards
            .way_of_rule(&self.policies, &key.0, stated, service, now, wall);
        let way = Some(way).filter(|way| !way.is_empty());
        let known = Known {
            here,
            own,
            way: way.clone(),
            used: true,
        };
        self.known.insert(key, known);
        way
    }

    /// What holds by rule, after a change of policies or of the table.
    pub(super) fn by_rule<'s>(
        &mut self,
        compiler: &Compiler,
        table: &RouteTable,
        by_default: impl Iterator<Item = &'s str>,
        now: Instant,
        wall: Timestamp,
    ) {
        if self.routes.is_empty() && !self.gateways && !compiler.has_retries() {
            self.ways = Arc::default();
            return;
        }
        let mut ways = Ways::default();
        for served in compiler.served() {
            let named = (served.key.namespace.clone(), served.key.name.to_string());
            let meant = self.gateways || self.routes.contains(&named);
            if !meant && !compiler.has_retries() {
                continue;
            }
            let mut rules = served
                .rules()
                .filter(|rule| meant || rule.retry.is_some())
                .peekable();
            if rules.peek().is_none() {
                continue;
            }
            let by = served.by();
            for rule in rules {
                let Action::Forward(backends) = &rule.action else {
                    continue;
                };
                for backend in backends.iter() {
                    let Ok(id) = backend.target else { continue };
                    let Some(service) = table.clusters().get(id.0) else {
                        continue;
                    };
                    let chain = own(service).route(
                        TargetKind::HttpRoute,
                        &named.0,
                        &named.1,
                        rule.name.as_deref(),
                    );
                    let chain = served_by(chain, by.as_ref());
                    let stated = rule.retry.as_ref();
                    if let Some(way) = self.way(chain, stated, service, now, wall) {
                        ways.insert(rule, id, way);
                    }
                }
            }
        }
        if self.gateways {
            let namespace = Namespace::default_namespace();
            for name in by_default {
                let Ok(service) = ServiceName::new(name) else {
                    continue;
                };
                let service = ClusterKey {
                    namespace: namespace.clone(),
                    service,
                    subset: Subset::DefaultPort,
                };
                let chain = own(&service).gateway(&namespace, IMPLICIT_GATEWAY, None);
                if let Some(way) = self.way(chain, None, &service, now, wall) {
                    ways.insert_default(name, way);
                }
            }
        }
        self.ways = Arc::new(ways);
    }

    /// Forgets what no way was asked for since the last change of policies.
    pub(super) fn forget_unused(&mut self) {
        self.known.retain(|_, known| known.used);
        self.settled = self.known.len();
    }

    /// The services that policies fall back to.
    pub(super) fn others(&self) -> &BTreeSet<ClusterKey> {
        &self.others
    }

    /// How many rules limit rates with scope `Exact`.
    pub(super) fn exact_limits(&self) -> usize {
        self.exact_limits
    }

    pub(super) fn ways(&self) -> Arc<Ways> {
        Arc::clone(&self.ways)
    }

    /// Does what time alone does to the machines. Returns what happened to endpoints.
    pub(super) fn sweep(&mut self, now: Instant) -> Vec<Ejection> {
        // Services that came and went leave ways behind; then all are looked at as after a change.
        self.dirty |= self.known.len() > 2 * self.settled + MOST_STALE;
        self.guards.sweep(now)
    }

    /// Whether there are machines that anybody is told of; a retry's budget, say, is none.
    pub(super) fn is_shown(&self, now: Instant) -> bool {
        self.guards.states(now).next().is_some()
    }

    /// Tells a limit that others hold to, too, what its part is from now on.
    pub(super) fn grant(&mut self, granted: &Granted, now: Instant) {
        self.guards.grant(granted, now);
    }

    /// How the machines stand.
    pub(super) fn states(&self, now: Instant) -> impl Iterator<Item = GuardState> {
        self.guards.states(now)
    }
}

/// The way of requests of which nothing but the service is known.
fn own(service: &ClusterKey) -> Chain {
    Chain::default().service(&service.namespace, service.service.as_str())
}

fn served_by(chain: Chain, by: Option<&ServedBy>) -> Chain {
    match by {
        Some(by) => chain.gateway(&by.namespace, &by.gateway, by.listener.as_deref()),
        None => chain,
    }
}

#[cfg(test)]
mod tests;
