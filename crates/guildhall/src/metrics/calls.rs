//! The metrics of calls to other services. Their labels are bounded: services are those that the author's code and policies
//! name. One of another namespace is told as `namespace/service`.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use guildhall_core::{
    document::Namespace,
    policy::{
        guard::{GuardState, Guarded},
        spec::TargetKind,
    },
};
use guildhall_resilience::{
    breaker::State,
    retry::{Decision, FailureClass, NoRetry},
};
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};

use super::http::BUCKETS;
use crate::{
    client::{Answer, CallError, StandIn},
    discovery::Callee,
};

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ToService {
    service: Arc<str>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    service: Arc<str>,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reason {
    service: Arc<str>,
    reason: &'static str,
}

/// Of a limit for all of a namespace, `target` names that, and `service` is empty; else `target` is.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Tried {
    service: Arc<str>,
    target: Arc<str>,
    reason: &'static str,
}

impl Tried {
    fn of(guard: &GuardState, own: Option<&Namespace>) -> Self {
        let (service, target): (Arc<str>, Arc<str>) = match &guard.guarded {
            Guarded::Service(key) if own.is_none_or(|own| *own == key.namespace) => {
                (key.service.as_str().into(), "".into())
            }
            Guarded::Service(key) => {
                let callee = Callee::foreign(&key.namespace, &key.service);
                (callee.as_str().into(), "".into())
            }
            Guarded::Target { target, .. } if target.kind == TargetKind::Service => {
                (target.name.as_str().into(), "".into())
            }
            Guarded::Target { target, .. } => {
                let named = format!("{}/{}", target.kind.word(), target.name);
                ("".into(), named.into())
            }
        };
        Self {
            service,
            target,
            reason: guard.section.pattern().name(),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct InState {
    service: Arc<str>,
    state: &'static str,
}

/// The metrics of all calls.
#[derive(Clone, Debug)]
pub(crate) struct CallMetrics {
    total: Family<Outcome, Counter>,
    duration: Family<ToService, Histogram, fn() -> Histogram>,
    retries: Family<Reason, Counter>,
    not_retried: Family<Reason, Counter>,
    rejections: Family<Reason, Counter>,
    would_reject: Family<Tried, Gauge>,
    /// The labels that it has.
    tried: Arc<Mutex<HashSet<Tried>>>,
    stand_ins: Family<Reason, Counter>,
    breaker: Family<InState, Gauge>,
    exact: Family<Reason, Counter>,
}

impl CallMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            total: Family::default(),
            duration: Family::new_with_constructor(|| Histogram::new(BUCKETS)),
            retries: Family::default(),
            not_retried: Family::default(),
            rejections: Family::default(),
            would_reject: Family::default(),
            tried: Arc::default(),
            stand_ins: Family::default(),
            breaker: Family::default(),
            exact: Family::default(),
        };
        registry.register(
            "guildhall_client_calls",
            "Calls to other services, by status class or error",
            metrics.total.clone(),
        );
        registry.register(
            "guildhall_client_call_duration_seconds",
            "Seconds that a call took, all its attempts together",
            metrics.duration.clone(),
        );
        registry.register(
            "guildhall_client_retries",
            "Attempts that were made again, by why the one before failed",
            metrics.retries.clone(),
        );
        registry.register(
            "guildhall_client_not_retried",
            "Failed attempts that were not made again, by why not",
            metrics.not_retried.clone(),
        );
        registry.register(
            "guildhall_client_rejections",
            "Calls that a rule turned away, by the pattern that did",
            metrics.rejections.clone(),
        );
        registry.register(
            "guildhall_client_would_reject",
            "Calls that policies in DryRun would have turned away since they are tried, by pattern",
            metrics.would_reject.clone(),
        );
        registry.register(
            "guildhall_client_stand_ins",
            "Answers given in a service's place, by what gave them",
            metrics.stand_ins.clone(),
        );
        registry.register(
            "guildhall_client_breaker_state",
            "1 for the state that the breaker is in",
            metrics.breaker.clone(),
        );
        registry.register(
            "guildhall_client_exact_limits",
            "Calls under rate limits of scope Exact, by who counted them: redis, or this process alone",
            metrics.exact.clone(),
        );
        metrics
    }

    /// The metrics of calls to one service.
    pub(crate) fn meter(&self, service: &str) -> Arc<Meter> {
        Arc::new(Meter {
            service: service.into(),
            metrics: self.clone(),
        })
    }

    /// Takes over what machines that are only tried have counted; what is tried no longer is told no longer.
    pub(crate) fn would_reject(
        &self,
        tried: impl Iterator<Item = GuardState>,
        own: Option<&Namespace>,
    ) {
        // Several may be tried for one service, such as the rules of a limit.
        let mut counts = HashMap::<Tried, u64>::new();
        for guard in tried {
            *counts.entry(Tried::of(&guard, own)).or_default() += guard.measured.refused();
        }
        let mut told = self.tried.lock().unwrap_or_else(PoisonError::into_inner);
        told.retain(|labels| {
            let stays = counts.contains_key(labels);
            if !stays {
                self.would_reject.remove(labels);
            }
            stays
        });
        for (labels, refused) in counts {
            let refused = i64::try_from(refused).unwrap_or(i64::MAX);
            self.would_reject.get_or_create(&labels).set(refused);
            told.insert(labels);
        }
    }
}

/// The metrics of calls to one service.
#[derive(Debug)]
pub(crate) struct Meter {
    service: Arc<str>,
    metrics: CallMetrics,
}

impl Meter {
    /// The service, as it is told.
    pub(crate) fn service(&self) -> &str {
        &self.service
    }

    fn reason(&self, reason: &'static str) -> Reason {
        Reason {
            service: self.service.clone(),
            reason,
        }
    }

    /// A call is over.
    pub(crate) fn ended(&self, result: &Result<Answer, CallError>, took: Duration) {
        let outcome = match result {
            Ok(answer) => match answer.status().as_u16() {
                ..200 => "1xx",
                200..300 => "2xx",
                300..400 => "3xx",
                400..500 => "4xx",
                500.. => "5xx",
            },
            Err(error) => error.word(),
        };
        self.took(outcome, took);
        match result {
            Ok(answer) => {
                if let Some(stand_in) = answer.stand_in() {
                    self.stood_in(stand_in);
                }
            }
            Err(error) => self.failed(error),
        }
    }

    /// A call is over that ended so.
    pub(crate) fn took(&self, outcome: &'static str, took: Duration) {
        let (service, metrics) = (self.service.clone(), &self.metrics);
        metrics
            .total
            .get_or_create(&Outcome { service, outcome })
            .inc();
        let service = self.service.clone();
        metrics
            .duration
            .get_or_create(&ToService { service })
            .observe(took.as_secs_f64());
    }

    /// A call failed, perhaps by a rule.
    pub(crate) fn failed(&self, error: &CallError) {
        if let CallError::Rejected { rejected, .. } = error {
            let reason = self.reason(rejected.by.name());
            self.metrics.rejections.get_or_create(&reason).inc();
        }
    }

    /// A limit that several processes count together was asked in Redis, or here alone.
    pub(crate) fn counted(&self, in_redis: bool) {
        let reason = self.reason(if in_redis { "redis" } else { "alone" });
        self.metrics.exact.get_or_create(&reason).inc();
    }

    /// Something answered in the service's place.
    pub(crate) fn stood_in(&self, by: &StandIn) {
        let reason = self.reason(by.word());
        self.metrics.stand_ins.get_or_create(&reason).inc();
    }

    /// It was decided whether a failed attempt is made again.
    pub(crate) fn decided(&self, class: FailureClass, decision: Decision) {
        let (family, reason) = match decision {
            Decision::Retry { .. } => (&self.metrics.retries, class.name()),
            // That a 404 is not asked again is nothing to count.
            Decision::GiveUp(NoRetry::Class(_)) => return,
            Decision::GiveUp(why) => (&self.metrics.not_retried, why.name()),
        };
        family.get_or_create(&self.reason(reason)).inc();
    }

    /// The breaker is in this state.
    pub(crate) fn breaker(&self, present: State) {
        for state in State::ALL {
            let labels = InState {
                service: self.service.clone(),
                state: state.name(),
            };
            self.metrics
                .breaker
                .get_or_create(&labels)
                .set(i64::from(state == present));
        }
    }
}
