//! All services that are called, and the machines that guard them.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Instant,
};

use guildhall_api::report::Courier;
use guildhall_core::{
    document::{Namespace, Timestamp},
    policy::{Chain, Policies, guard::Guards, spec::Sections},
    registry::health::Moment,
    route::table::{ClusterKey, Subset},
};
use tokio::sync::Notify;

use super::{Defaults, Sdk};
use crate::{
    client::{Target, Transport, tell},
    discovery::{Callee, Discovery},
    metrics::Metrics,
};

/// All services that are called. Requests never come near the lock: they hold their way.
pub(crate) struct Callees {
    pub(crate) discovery: Discovery,
    transport: Arc<Transport>,
    metrics: Metrics,
    state: Mutex<State>,
    changed: Notify,
    /// Itself, for what stands in for a service by calling another.
    this: Weak<Self>,
}

struct State {
    guards: Guards<Sdk>,
    policies: Policies,
    defaults: Sections,
    /// Once the service has started.
    namespace: Option<Namespace>,
    targets: BTreeMap<Callee, Arc<Target>>,
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
            changed: Notify::new(),
            this: this.clone(),
        })
    }

    /// The connections to all of them.
    #[cfg(feature = "redis")]
    pub(crate) fn transport(&self) -> &Transport {
        &self.transport
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A service that is called, from now on.
    pub(crate) fn target(&self, callee: &Callee, now: Instant, wall: Timestamp) -> Arc<Target> {
        let mut state = self.state();
        if let Some(target) = state.targets.get(callee) {
            return target.clone();
        }
        let directory = self.discovery.directory(callee);
        let meter = self.metrics.calls.meter(callee.as_str());
        let target = Arc::new(Target::new(directory, self.transport.clone(), meter));
        state.targets.insert(callee.clone(), target.clone());
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
        // They may order breakers about.
        self.note_change();
    }

    /// A breaker has changed its state.
    pub(crate) fn note_change(&self) {
        self.changed.notify_one();
    }

    /// Waits until a breaker has changed its state.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Shows all machines to whoever reports them, once they know what its last answer gave them.
    pub(super) fn show(&self, courier: &mut Courier, now: Moment) {
        let mut state = self.state();
        for granted in courier.hear(now) {
            state.guards.grant(&granted, now.monotonic);
        }
        courier.observe(state.guards.states(now.monotonic), now);
    }

    /// Does what time alone does, and tells the metrics what nobody else tells them.
    pub(crate) fn tick(&self, now: Instant) {
        let mut state = self.state();
        for (service, event) in state.guards.sweep(now) {
            let callee = match &state.namespace {
                Some(own) if *own != service.namespace => {
                    Callee::foreign(&service.namespace, &service.service)
                }
                _ => Callee::own(service.service.as_str()),
            };
            tell(callee.as_str(), &event);
        }
        for target in state.targets.values() {
            if let Some(way) = target.way()
                && let Some(breaker) = &way.enforced.breaker
            {
                target.meter.breaker(breaker.machine.state());
            }
        }
        let tried = state.guards.states(now).filter(|guard| guard.tried);
        self.metrics
            .calls
            .would_reject(tried, state.namespace.as_ref());
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
        let callee = target.callee();
        // A name that is none is told at the start, which then fails.
        let (Some(own), Ok(service)) = (&self.namespace, callee.service()) else {
            return;
        };
        // Only the own namespace's policies are known: for a service of another, the defaults hold.
        let namespace = callee.namespace(own);
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use guildhall_core::{
        document::{Metadata, decode},
        policy::{Policy, guard::Way},
    };
    use guildhall_resilience::{Outcome, breaker::State as Is};

    use super::*;
    use crate::clock;

    struct Callers {
        callees: Arc<Callees>,
        target: Arc<Target>,
        now: Instant,
    }

    impl Callers {
        fn new() -> Self {
            let callees = Callees::new(Transport::new("orders", "1"), Metrics::new());
            let (now, wall) = (clock::now(), Timestamp(0));
            let target = callees.target(&Callee::own("users"), now, wall);
            assert!(target.way().is_none(), "nothing is called before the start");
            callees.start(Namespace::default(), &Defaults::default(), now, wall);
            Self {
                callees,
                target,
                now,
            }
        }

        /// What holds under these policies of the service, the first the oldest.
        fn under(&self, policies: &[(&str, u64, &str)]) -> Arc<Way<Sdk>> {
            let documents: Vec<(Metadata, Policy)> = policies
                .iter()
                .map(|(name, revision, sections)| {
                    let spec = format!(
                        r#"{{"targetRefs": [{{"kind": "Service", "name": "users"}}], {sections}}}"#
                    );
                    let metadata = Metadata {
                        revision: *revision,
                        ..Metadata::named(Namespace::default(), *name)
                    };
                    (metadata, decode(&spec, "/spec").unwrap())
                })
                .collect();
            let policies = Policies::new(documents.iter().map(|(m, p)| (m, p)));
            self.callees.follow(policies, self.now, Timestamp(0));
            self.target.way().unwrap()
        }
    }

    #[test]
    fn defaults_hold_until_a_policy_says_otherwise() {
        let callers = Callers::new();
        let way = callers.target.way().unwrap();
        let rules = &way.enforced;
        assert!(rules.retry.is_some() && rules.breaker.is_some() && rules.outlier.is_some());
        assert!(rules.bulkhead.is_none() && way.balance.is_none() && way.tried.is_none());
        let off = r#""retry": {"enabled": false}, "bulkhead": {"maxConcurrentCalls": 3}"#;
        let rules = &callers.under(&[("p", 1, off)]).enforced;
        assert!(rules.retry.is_none() && rules.breaker.is_some() && rules.bulkhead.is_some());
        assert!(callers.under(&[]).enforced.retry.is_some());
    }

    #[test]
    fn a_change_of_policies_keeps_the_breakers_window_and_names_the_new_revision() {
        let callers = Callers::new();
        let breaker =
            |failures: u32| format!(r#""circuitBreaker": {{"consecutiveFailures": {failures}}}"#);
        let strict = callers.under(&[("calm", 7, &breaker(5))]);
        let first = strict.enforced.breaker.as_ref().unwrap();
        for _ in 0..3 {
            let permit = first.machine.acquire(callers.now).unwrap();
            assert_eq!(permit.record(Outcome::Failure, callers.now), None);
        }
        // A call that began under the old revision ends under the new one.
        let under_way = first.machine.acquire(callers.now).unwrap();
        let next = callers.under(&[("calm", 9, &breaker(4))]);
        let second = next.enforced.breaker.as_ref().unwrap();
        assert!(Arc::ptr_eq(&first.machine, &second.machine));
        let transition = under_way.record(Outcome::Failure, callers.now).unwrap();
        assert_eq!(transition.to, Is::Open);
        let refusal = second.machine.acquire(callers.now).unwrap_err();
        let rejected = next.enforced.explain(refusal.into());
        assert_eq!(
            (rejected.policy.policy.as_str(), rejected.policy.revision),
            ("calm", 9)
        );
        assert!(rejected.retry_after.unwrap() > Duration::from_secs(1));

        // Switched off and on again it is still the same, and still open.
        let off = callers.under(&[("calm", 10, r#""circuitBreaker": {"enabled": false}"#)]);
        assert!(off.enforced.breaker.is_none());
        callers.callees.tick(callers.now);
        let on = callers.under(&[("calm", 11, &breaker(4))]);
        assert_eq!(
            on.enforced.breaker.as_ref().unwrap().machine.state(),
            Is::Open
        );
    }
}
