//! What holds for one kind of request, ready for use: immutable, its machines shared.

use std::{
    fmt,
    hash::Hash,
    sync::{Arc, Mutex},
};

use guildhall_resilience::{
    Outcome, Pattern, Rejection,
    adaptive::Adaptive,
    breaker::{self, Breaker},
    bulkhead::Bulkhead,
    classify::{Classify, ErrorClass},
    fallback::LastGood,
    hedge::Hedge,
    outlier::{self, Outlier},
    retry::{Budget, FailureClass, RetryPolicy},
};

use super::{limits::Limits, rejected::Rejected, state::Tally};
use crate::{
    policy::{
        compile::{BalanceRule, FallbackRule, Rule, TimeoutRule},
        effective::Source,
        spec::Section,
    },
    route::table::{ClusterKey, RuleRetry},
};

/// What a shell's machines are made of. Gateway and SDK have one each.
pub trait Shell: 'static {
    /// What tells a service's endpoints apart.
    type Endpoint: Clone + Ord + fmt::Debug;
    /// What tells requests apart whose good answers are kept.
    type AnswerKey: Hash + Eq + Clone + fmt::Debug;
    /// A good answer that is kept.
    type Answer: fmt::Debug;
}

/// Good answers, as a fallback keeps them.
pub type Kept<S> = Arc<Mutex<LastGood<<S as Shell>::AnswerKey, <S as Shell>::Answer>>>;

/// What holds for one kind of request: one rule of a route and one service in a gateway, one service in an SDK.
pub struct Way<S: Shell> {
    /// The service, and which port of it.
    pub service: ClusterKey,
    /// What is enforced.
    pub enforced: Rules<S>,
    /// Which endpoint takes a request, if a policy says so.
    pub balance: Option<Rule<BalanceRule>>,
    /// What is tried: the sections that would be others if every policy in `DryRun` were enforced, with machines of
    /// their own. `None` if there is none that refuses.
    pub tried: Option<Rules<S>>,
}

/// The sections that hold, each with its machine. One that no policy has is `None`; one that a policy switches off is
/// too, and stands in [`Rules::off`].
pub struct Rules<S: Shell> {
    /// How many requests in how much time.
    pub rate_limit: Option<Limits>,
    /// How long a request may take.
    pub timeouts: Option<Guard<(), TimeoutRule>>,
    /// What is answered when a request cannot be.
    pub fallback: Option<FallbackGuard<S>>,
    /// How many requests at once.
    pub bulkhead: Option<Guard<Bulkhead>>,
    /// What is sent again.
    pub retry: Option<RetryGuard>,
    /// What is sent twice.
    pub hedging: Option<HedgeGuard>,
    /// Whether the service is called while it fails.
    pub breaker: Option<Guard<Breaker>>,
    /// How many attempts at once, by latency.
    pub adaptive: Option<Guard<Adaptive>>,
    /// Whether an endpoint is used while it fails. [`Guards::sweep`](super::Guards::sweep) does what its interval asks.
    pub outlier: Option<Guard<Outlier<S::Endpoint>, outlier::Config>>,
    /// What the end of a call says about the service.
    pub classify: Arc<Classify>,
    /// The sections that a policy switches off: the shell's own settings do not hold for them either.
    pub off: Vec<Section>,
    /// Who is named where no policy has the section.
    pub(super) built_in: Arc<Source>,
    /// Whose order the breaker obeys while its state is one by order.
    pub(super) ordered_by: Option<Arc<Source>>,
}

/// A machine, and the policy that its refusals name.
pub struct Guard<M, C = ()> {
    /// The machine, shared with every other way to the service.
    pub machine: Arc<M>,
    /// What the shell has to know of the configuration.
    pub config: C,
    /// The policy that refusals name.
    pub source: Arc<Source>,
    /// What was refused. [`Guard::reject`] counts.
    pub tally: Arc<Tally>,
}

/// What is sent again.
#[derive(Debug)]
pub struct RetryGuard {
    /// Which failures, how often, after what pause.
    pub policy: RetryPolicy,
    /// What retries may cost together.
    pub budget: Arc<Budget>,
    /// What the route's rule says itself; `policy` has it already, but for the statuses.
    pub stated: Option<RuleRetry>,
    /// The most specific policy that has the section.
    pub source: Arc<Source>,
}

/// What is sent twice.
#[derive(Debug)]
pub struct HedgeGuard {
    /// When, and how many; over the latencies of all ways to the service.
    pub hedge: Arc<Hedge>,
    /// What hedges may cost together.
    pub budget: Arc<Budget>,
    /// The most specific policy that has the section.
    pub source: Arc<Source>,
    /// Keeps the latencies.
    pub(super) _latencies: Arc<Hedge>,
}

/// What is answered when a request cannot be.
pub struct FallbackGuard<S: Shell> {
    /// Which source answers, for what.
    pub rule: FallbackRule,
    /// The good answers, if one may be a source.
    pub kept: Option<Kept<S>>,
    /// The most specific policy that has the section.
    pub source: Arc<Source>,
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ended {
    /// With an answer of this HTTP status.
    Status(u16),
    /// With an answer of this gRPC status.
    Grpc(u32),
    /// Without an answer.
    Failed(ErrorClass),
}

impl<S: Shell> Way<S> {
    /// Whether there is nothing to do: no policy says anything for these requests.
    pub fn is_empty(&self) -> bool {
        self.balance.is_none() && self.tried.is_none() && self.enforced.is_empty()
    }
}

impl<S: Shell> Rules<S> {
    pub(super) fn none(built_in: Arc<Source>) -> Self {
        Self {
            rate_limit: None,
            timeouts: None,
            fallback: None,
            bulkhead: None,
            retry: None,
            hedging: None,
            breaker: None,
            adaptive: None,
            outlier: None,
            classify: Arc::default(),
            off: Vec::new(),
            built_in,
            ordered_by: None,
        }
    }

    /// Whether no section holds, and none is switched off.
    pub fn is_empty(&self) -> bool {
        self.off.is_empty()
            && Section::ALL
                .iter()
                .all(|section| self.of(*section).is_none())
    }

    /// What the end of a call says about the service, for its breaker and adaptive limit.
    pub fn outcome(&self, ended: Ended) -> Outcome {
        match ended {
            Ended::Status(status) => self.classify.status(status),
            Ended::Grpc(code) => self.classify.grpc(code),
            Ended::Failed(class) => self.classify.error(class),
        }
    }

    /// The policy that a refusal by `section` names: of a breaker that is open by order the one that orders it.
    pub fn source(&self, section: Section) -> &Arc<Source> {
        let by_order = |guard: &Guard<Breaker>| guard.machine.state() == breaker::State::ForcedOpen;
        if let Some(by) = &self.ordered_by
            && section == Section::CircuitBreaker
            && self.breaker.as_ref().is_some_and(by_order)
        {
            return by;
        }
        self.of(section).unwrap_or(&self.built_in)
    }

    /// A refusal by `section`. Counts nothing: [`Guard::reject`] and [`Rules::explain`] do.
    pub fn rejection(
        &self,
        section: Section,
        retry_after: Option<std::time::Duration>,
    ) -> Rejected {
        Rejected {
            by: section.pattern(),
            policy: self.source(section).clone(),
            rule: None,
            retry_after,
        }
    }

    /// What a layer's refusal means here: which policy's it is. Counts it, where the machine has not: call it once for
    /// each.
    pub fn explain(&self, rejection: Rejection) -> Rejected {
        let section = section(rejection.by);
        match section {
            Some(Section::Bulkhead) => count(self.bulkhead.as_ref().map(|guard| &guard.tally)),
            Some(Section::AdaptiveConcurrency) => {
                count(self.adaptive.as_ref().map(|guard| &guard.tally));
            }
            Some(Section::Timeouts) => count(self.timeouts.as_ref().map(|guard| &guard.tally)),
            _ => {}
        }
        Rejected {
            by: rejection.by,
            policy: section
                .map_or(&self.built_in, |section| self.source(section))
                .clone(),
            rule: None,
            retry_after: rejection.retry_after,
        }
    }

    fn of(&self, section: Section) -> Option<&Arc<Source>> {
        match section {
            Section::LoadBalancer => None,
            Section::Timeouts => self.timeouts.as_ref().map(|guard| &guard.source),
            Section::Retry => self.retry.as_ref().map(|guard| &guard.source),
            Section::CircuitBreaker => self.breaker.as_ref().map(|guard| &guard.source),
            Section::OutlierDetection => self.outlier.as_ref().map(|guard| &guard.source),
            Section::RateLimit => self.rate_limit.as_ref().map(|limits| &limits.source),
            Section::Bulkhead => self.bulkhead.as_ref().map(|guard| &guard.source),
            Section::AdaptiveConcurrency => self.adaptive.as_ref().map(|guard| &guard.source),
            Section::Fallback => self.fallback.as_ref().map(|guard| &guard.source),
            Section::Hedging => self.hedging.as_ref().map(|guard| &guard.source),
        }
    }
}

impl RetryGuard {
    /// As what an answer of this status failed, as far as sending again is concerned; `None` if it stands.
    pub fn failure(&self, status: u16) -> Option<FailureClass> {
        let stated = self.stated.as_ref();
        stated
            .and_then(|stated| stated.failure(status))
            .unwrap_or_else(|| FailureClass::of_status(status))
    }
}

impl<M, C> Guard<M, C> {
    /// A refusal by this machine; counts it.
    pub fn reject(&self, refusal: impl Into<Rejection>) -> Rejected {
        let Rejection { by, retry_after } = refusal.into();
        self.tally.refuse();
        Rejected {
            by,
            policy: self.source.clone(),
            rule: None,
            retry_after,
        }
    }
}

fn count(tally: Option<&Arc<Tally>>) {
    if let Some(tally) = tally {
        tally.refuse();
    }
}

impl Section {
    /// The pattern that carries it out.
    pub const fn pattern(self) -> Pattern {
        match self {
            Self::LoadBalancer => Pattern::Balance,
            Self::Timeouts => Pattern::Deadline,
            Self::Retry => Pattern::Retry,
            Self::CircuitBreaker => Pattern::Breaker,
            Self::OutlierDetection => Pattern::Outlier,
            Self::RateLimit => Pattern::RateLimit,
            Self::Bulkhead => Pattern::Bulkhead,
            Self::AdaptiveConcurrency => Pattern::Adaptive,
            Self::Fallback => Pattern::Fallback,
            Self::Hedging => Pattern::Hedge,
        }
    }
}

/// The section that a pattern carries out; none has load shedding.
fn section(pattern: Pattern) -> Option<Section> {
    Section::ALL
        .iter()
        .copied()
        .find(|section| section.pattern() == pattern)
}

impl<M: fmt::Debug, C: fmt::Debug> fmt::Debug for Guard<M, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard")
            .field("machine", &self.machine)
            .field("config", &self.config)
            .field("source", &self.source)
            .finish_non_exhaustive()
    }
}

impl<M, C: Clone> Clone for Guard<M, C> {
    fn clone(&self) -> Self {
        Self {
            machine: self.machine.clone(),
            config: self.config.clone(),
            source: self.source.clone(),
            tally: self.tally.clone(),
        }
    }
}

impl<S: Shell> fmt::Debug for FallbackGuard<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FallbackGuard")
            .field("rule", &self.rule)
            .field("source", &self.source)
            .finish_non_exhaustive()
    }
}

impl<S: Shell> fmt::Debug for Rules<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let held = Section::ALL
            .iter()
            .filter_map(|section| Some((section.name(), self.of(*section)?.to_string())));
        f.debug_map().entries(held).finish()
    }
}

impl<S: Shell> fmt::Debug for Way<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Way")
            .field("service", &self.service)
            .field("enforced", &self.enforced)
            .field("balance", &self.balance)
            .field("tried", &self.tried)
            .finish()
    }
}
