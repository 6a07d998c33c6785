//! All services that are called, and the machines that guard them.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Instant,
};

use guildhall_core::{
    document::{Namespace, ServiceName, Timestamp},
    policy::{
        Chain, Policies,
        guard::{GuardState, Guards},
        spec::Sections,
    },
    route::table::{ClusterKey, Subset},
};

use super::{Defaults, Sdk};
use crate::{
    client::{Target, Transport, tell},
    discovery::Discovery,
    metrics::Metrics,
};

/// All services that are called. Requests never come near the lock: they hold their way.
pub(crate) struct Callees {
    pub(crate) discovery: Discovery,
    transport: Arc<Transport>,
    metrics: Metrics,
    state: Mutex<State>,
    /// Itself, for what stands in for a service by calling another.
    this: Weak<Self>,
}

struct State {
    guards: Guards<Sdk>,
    policies: Policies,
    defaults: Sections,
    /// Once the service has started.
    namespace: Option<Namespace>,
    targets: BTreeMap<String, Arc<Target>>,
}

impl Callees {
    pub(crate) fn new(transport: Transport, metrics: Metrics) -> Arc<Self> {
        Arc::new_cyclic(|this| Self {
            discovery: Discovery::default(),
            transport: Arc::new(transport),
            metrics,
            state: Mutex::new(State {
                guards: Guards::new(fastrand::u64(..)),
                policies: Policies::default(),
                defaults: Sections::default(),
                namespace: None,
                targets: BTreeMap::new(),
            }),
            this: this.clone(),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A service that is called, from now on.
    pub(crate) fn target(&self, service: &str, now: Instant, wall: Timestamp) -> Arc<Target> {
        let mut state = self.state();
        if let Some(target) = state.targets.get(service) {
            return target.clone();
        }
        let directory = self.discovery.directory(service);
        let meter = self.metrics.calls.meter(service);
        let target = Arc::new(Target::new(directory, self.transport.clone(), meter));
        state.targets.insert(service.to_owned(), target.clone());
        state.lead(&target, &self.this, now, wall);
        target
    }

    /// The service has started, in this namespace: calls can be made.
    pub(crate) fn start(
        &self,
        namespace: Namespace,
        defaults: &Defaults,
        now: Instant,
        wall: Timestamp,
    ) {
        let mut state = self.state();
        state.namespace = Some(namespace);
        state.defaults = defaults.sections();
        state.policies = Policies::default().with_defaults(state.defaults.clone());
        state.lead_all(&self.this, now, wall);
    }

    /// These policies hold from now on. Machines stay, told what has changed for them.
    pub(crate) fn follow(&self, policies: Policies, now: Instant, wall: Timestamp) {
        let mut state = self.state();
        state.policies = policies.with_defaults(state.defaults.clone());
        state.lead_all(&self.this, now, wall);
    }

    /// How the machines stand.
    pub(crate) fn states(&self, now: Instant) -> Vec<GuardState> {
        self.state().guards.states(now).collect()
    }

    /// Does what time alone does, and tells the metrics what nobody else tells them.
    pub(crate) fn tick(&self, now: Instant) {
        let mut state = self.state();
        for (service, event) in state.guards.sweep(now) {
            tell(service.service.as_str(), &event);
        }
        for target in state.targets.values() {
            if let Some(way) = target.way()
                && let Some(breaker) = &way.enforced.breaker
            {
                target.meter.breaker(breaker.machine.state());
            }
        }
        self.metrics
            .calls
            .would_reject(state.guards.states(now).filter(|guard| guard.tried));
    }
}

impl State {
    fn lead_all(&mut self, callees: &Weak<Callees>, now: Instant, wall: Timestamp) {
        let targets: Vec<_> = self.targets.values().cloned().collect();
        for target in targets {
            self.lead(&target, callees, now, wall);
        }
    }

    /// Has a service's calls follow the policies.
    fn lead(&mut self, target: &Target, callees: &Weak<Callees>, now: Instant, wall: Timestamp) {
        // A name that is none is told at the start, which then fails.
        let (Some(namespace), Ok(service)) = (&self.namespace, ServiceName::new(target.service()))
        else {
            return;
        };
        let chain = Chain::default().service(namespace, service.as_str());
        let key = ClusterKey {
            namespace: namespace.clone(),
            service,
            subset: Subset::DefaultPort,
        };
        let way = self.guards.way(&self.policies, &chain, &key, now, wall);
        target.follow(way, callees);
    }
}
