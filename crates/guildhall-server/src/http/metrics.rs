//! `GET /metrics`: what this node counts about itself, as OpenMetrics text.

use std::sync::atomic::{AtomicU64, Ordering};

use guildhall_api::wire::Code;
use guildhall_control::fleet::Fleet;
use guildhall_core::{
    access::{Verb, authorize},
    policy::report::State,
};
use guildhall_gateway::Traffic as Counts;
use http::StatusCode;
use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{counter::Counter, family::Family, gauge::Gauge, info::Info},
    registry::{Registry, Unit},
};

use super::problem::{Refusal, refuse};
use super::{
    Api,
    answer::{self, Answer},
    call::Call,
    problem,
    routes::{Method, Resource},
};
use crate::platform::Traffic;

const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const CLASSES: [&str; 4] = ["2xx", "3xx", "4xx", "5xx"];
const METHODS: usize = Method::ALL.len();

/// Requests by resource, method and class of status: one atomic each, so that counting costs next to nothing.
#[derive(Debug)]
pub(crate) struct Metrics {
    requests: Box<[AtomicU64]>,
    /// Requests that found no resource, by class.
    strays: [AtomicU64; CLASSES.len()],
}

impl Default for Metrics {
    fn default() -> Self {
        let cells = Resource::ALL.len() * METHODS * CLASSES.len();
        Self {
            requests: std::iter::repeat_with(AtomicU64::default)
                .take(cells)
                .collect(),
            strays: Default::default(),
        }
    }
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Labels {
    resource: &'static str,
    method: &'static str,
    status: &'static str,
}

impl Metrics {
    /// Counts an answered request; `None` is one that found no resource.
    pub(crate) fn count(&self, target: Option<(Resource, Method)>, status: StatusCode) {
        let class = usize::from(status.as_u16() / 100).clamp(2, 5) - 2;
        let cell = match target {
            Some((resource, method)) => self
                .requests
                .get((resource.slot() * METHODS + method as usize) * CLASSES.len() + class),
            None => self.strays.get(class),
        };
        if let Some(cell) = cell {
            cell.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn family(&self) -> Family<Labels, Counter> {
        let family = Family::<Labels, Counter>::default();
        let add = |resource, method, class: usize, count: &AtomicU64| {
            let count = count.load(Ordering::Relaxed);
            if count > 0 {
                let labels = Labels {
                    resource,
                    method,
                    status: CLASSES[class],
                };
                family.get_or_create(&labels).inc_by(count);
            }
        };
        for (at, count) in self.requests.iter().enumerate() {
            let (rest, class) = (at / CLASSES.len(), at % CLASSES.len());
            let resource = Resource::ALL[rest / METHODS];
            add(
                resource.word(),
                Method::ALL[rest % METHODS].word(),
                class,
                count,
            );
        }
        for (class, count) in self.strays.iter().enumerate() {
            add("none", "none", class, count);
        }
        family
    }
}

/// `GET /metrics`
pub(crate) fn read(api: &Api, call: &Call) -> Result<Answer, Refusal> {
    authorize(&call.caller, Verb::Read, None, None, None)
        .map_err(|denied| problem::of(denied.into()))?;
    let mut registry = Registry::with_prefix("guildhall");
    let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
    registry.register("build", "What runs", build);
    registry.register("api_requests", "Requests answered", api.metrics.family());
    let mut gauge = |name: &str, help: &str, value: usize| {
        let gauge = Gauge::<i64>::default();
        gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
        registry.register(name, help, gauge);
    };
    gauge(
        "api_connections",
        "Connections of the API now",
        api.open_connections(),
    );
    gauge(
        "api_kept_answer_bytes",
        "Serialised discovery answers kept",
        usize::try_from(api.answers.bytes()).unwrap_or(usize::MAX),
    );
    if let Ok(control) = api.control() {
        let status = control.status();
        gauge("documents", "Documents there are", status.documents);
        gauge(
            "watchers",
            "Subscriptions and long polls now",
            status.watches.watchers,
        );
        gauge(
            "watch_history",
            "Past changes kept for watchers that resume",
            status.watches.history,
        );
        gauge(
            "store_entries",
            "Entries of the control store",
            status.store.entries,
        );
        gauge(
            "store_read_only",
            "1 while the store takes no writes",
            usize::from(status.store.read_only.is_some()),
        );
        gauge(
            "store_revision",
            "The store's revision",
            usize::try_from(status.index.revision).unwrap_or(usize::MAX),
        );
        let mut counter = |name: &str, help: &str, value: u64| {
            let counter = Counter::<u64>::default();
            counter.inc_by(value);
            registry.register(name, help, counter);
        };
        counter(
            "watch_wakeups",
            "How often a watcher was woken",
            status.watches.wakeups,
        );
        counter(
            "watch_resyncs",
            "How often a watcher had to start over",
            status.watches.resyncs,
        );
        counter(
            "audit_lost",
            "Audit records that could not be kept",
            status.audit_lost,
        );
    }
    if let Ok(control) = api.control() {
        fleet(&mut registry, &control.fleet());
    }
    if let Some(gateway) = api.gateway.as_ref().and_then(Traffic::status) {
        traffic(&mut registry, &gateway.traffic);
    }
    if let Some(bytes) = crate::node::resident_bytes() {
        let gauge = Gauge::<i64>::default();
        gauge.set(i64::try_from(bytes).unwrap_or(i64::MAX));
        registry.register_with_unit(
            "process_resident_memory",
            "Memory of the process",
            Unit::Bytes,
            gauge,
        );
    }
    let mut text = String::new();
    encode(&mut text, &registry)
        .map_err(|_| refuse(Code::Internal, "the metrics could not be written"))?;
    Ok(answer::text(CONTENT_TYPE, text))
}

/// The most pairs of callers and called that have series of their own.
const PAIRS: usize = 1_000;

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct BreakerLabels {
    caller_namespace: String,
    caller: String,
    namespace: String,
    service: String,
    subset: String,
    state: &'static str,
}

/// What gateways and SDKs reported here.
fn fleet(registry: &mut Registry, fleet: &Fleet) {
    let (pairs, beyond) = fleet.pairs(PAIRS);
    let breakers = Family::<BreakerLabels, Gauge>::default();
    for (pair, counts) in pairs {
        for (state, count) in State::ALL.into_iter().zip(counts) {
            let labels = BreakerLabels {
                caller_namespace: pair
                    .caller_namespace
                    .as_ref()
                    .map(ToString::to_string)
                    .unwrap_or_default(),
                caller: pair.caller.clone(),
                namespace: pair.target.namespace.to_string(),
                service: pair.target.service.to_string(),
                subset: pair.target.subset.clone(),
                state: state.name(),
            };
            let count = i64::try_from(count).unwrap_or(i64::MAX);
            breakers.get_or_create(&labels).set(count);
        }
    }
    registry.register(
        "breaker_state",
        "Breakers in each state, by who calls whom; without those that are only tried",
        breakers,
    );
    let mut gauge = |name: &str, help: &str, value: usize| {
        let gauge = Gauge::<i64>::default();
        gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
        registry.register(name, help, gauge);
    };
    gauge(
        "breaker_pairs_left_out",
        "Pairs of caller and called that breaker_state has no room for",
        beyond,
    );
    gauge(
        "fleet_reporters",
        "Gateways and service instances that report here",
        fleet.statistics().reporters,
    );
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Reason {
    reason: &'static str,
}

/// A policy, and whether it is enforced or only tried.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Policy {
    policy: String,
    enforced: &'static str,
}

/// What the gateway counts.
fn traffic(registry: &mut Registry, traffic: &Counts) {
    let mut gauge = |name: &str, help: &str, value: u64| {
        let gauge = Gauge::<i64>::default();
        gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
        registry.register(name, help, gauge);
    };
    gauge(
        "gateway_connections",
        "Client connections now",
        traffic.connections,
    );
    gauge(
        "gateway_requests_running",
        "Requests under way",
        traffic.requests_running,
    );
    gauge("gateway_tunnels", "Tunnels now", traffic.tunnels);
    gauge(
        "gateway_upstream_connections",
        "Connections to backends now, idle ones included",
        traffic.upstream_connections,
    );
    let mut counter = |name: &str, help: &str, value: u64| {
        let counter = Counter::<u64>::default();
        counter.inc_by(value);
        registry.register(name, help, counter);
    };
    counter(
        "gateway_connections_accepted",
        "Client connections accepted",
        traffic.connections_accepted,
    );
    counter(
        "gateway_connections_refused",
        "Client connections closed because there were too many",
        traffic.connections_refused,
    );
    counter(
        "gateway_connections_timed_out",
        "Client connections closed because they were idle or slow",
        traffic.connections_timed_out,
    );
    counter(
        "gateway_upstream_connects",
        "Connections to backends made",
        traffic.upstream_connects,
    );
    counter(
        "gateway_replays",
        "Requests sent again because a connection or an endpoint was gone",
        traffic.replays,
    );
    counter(
        "gateway_retries",
        "Attempts that followed a failed one because a policy retries",
        traffic.retries,
    );
    counter(
        "gateway_retries_over_budget",
        "Retries that were not made because the budget was used up",
        traffic.retries_over_budget,
    );
    counter(
        "gateway_hedges",
        "Attempts sent beside a slow one because a policy hedges",
        traffic.hedges,
    );
    counter(
        "gateway_exact_limits_asked",
        "How often Redis said whether a request may pass rate limits of scope Exact",
        traffic.exact_asked,
    );
    counter(
        "gateway_exact_limits_alone",
        "How often it did not, so that the gateway counted for itself",
        traffic.exact_alone,
    );
    counter(
        "gateway_log_lines_dropped",
        "Lines of the access log that were dropped",
        traffic.log_lines_dropped,
    );
    let requests = Family::<Reason, Counter>::default();
    for (reason, count) in &traffic.reasons {
        requests.get_or_create(&Reason { reason }).inc_by(*count);
    }
    registry.register(
        "gateway_requests",
        "Requests answered, by the reason of the answer",
        requests,
    );
    let refused = Family::<Policy, Counter>::default();
    for (policy, counted) in &traffic.policies {
        let count = |enforced: &'static str, n: u64| {
            let policy = policy.clone();
            refused
                .get_or_create(&Policy { policy, enforced })
                .inc_by(n);
        };
        count("true", counted.refused);
        count("false", counted.would_have_refused);
    }
    registry.register(
        "gateway_policy_refusals",
        "Requests that a policy refused, or would have refused if it were enforced",
        refused,
    );
}
