//! Counters: one set per worker, written by it alone, read by whoever asks.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use guildhall_core::{
    policy::{Source, guard::GuardState},
    route::Reason,
};
use serde::Serialize;

/// A number that one thread writes: a plain load and store, no locked instruction.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, n: u64) {
        self.0.store(self.0.load(Relaxed).wrapping_add(n), Relaxed);
    }

    pub(crate) fn subtract(&self, n: u64) {
        self.0.store(self.0.load(Relaxed).wrapping_sub(n), Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// What one worker counted. Aligned so that no two workers write to one cache line.
#[derive(Debug)]
#[repr(align(128))]
pub(crate) struct WorkerStats {
    pub(crate) connections: Counter,
    pub(crate) connections_accepted: Counter,
    pub(crate) connections_refused: Counter,
    pub(crate) connections_timed_out: Counter,
    pub(crate) requests_running: Counter,
    pub(crate) requests: Counter,
    pub(crate) classes: [Counter; 6],
    pub(crate) reasons: [Counter; Reason::ALL.len()],
    pub(crate) tunnels: Counter,
    pub(crate) upstream_connections: Counter,
    pub(crate) upstream_connects: Counter,
    pub(crate) replays: Counter,
    pub(crate) retries: Counter,
    pub(crate) retries_over_budget: Counter,
    pub(crate) hedges: Counter,
    pub(crate) exact_asked: Counter,
    pub(crate) exact_alone: Counter,
    pub(crate) log_lines_dropped: Counter,
}

impl Default for WorkerStats {
    fn default() -> Self {
        Self {
            connections: Counter::default(),
            connections_accepted: Counter::default(),
            connections_refused: Counter::default(),
            connections_timed_out: Counter::default(),
            requests_running: Counter::default(),
            requests: Counter::default(),
            classes: Default::default(),
            reasons: std::array::from_fn(|_| Counter::default()),
            tunnels: Counter::default(),
            upstream_connections: Counter::default(),
            upstream_connects: Counter::default(),
            replays: Counter::default(),
            retries: Counter::default(),
            retries_over_budget: Counter::default(),
            hedges: Counter::default(),
            exact_asked: Counter::default(),
            exact_alone: Counter::default(),
            log_lines_dropped: Counter::default(),
        }
    }
}

/// What all workers counted since the start; gauges are at present.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Traffic {
    /// Client connections open.
    pub connections: u64,
    /// Client connections accepted.
    pub connections_accepted: u64,
    /// Client connections closed at once because there were too many.
    pub connections_refused: u64,
    /// Client connections closed because they were idle or slow.
    pub connections_timed_out: u64,
    /// Requests under way.
    pub requests_running: u64,
    /// Requests answered.
    pub requests: u64,
    /// Of those, by the first digit of the status; the first number is for none.
    pub classes: [u64; 6],
    /// Of those, by reason: every reason that occurred, by its code.
    pub reasons: BTreeMap<&'static str, u64>,
    /// Tunnels open.
    pub tunnels: u64,
    /// Connections to backends open, idle ones included.
    pub upstream_connections: u64,
    /// Connections to backends made.
    pub upstream_connects: u64,
    /// Requests sent again, because the connection or the endpoint was gone.
    pub replays: u64,
    /// Attempts that followed a failed one because a policy retries.
    pub retries: u64,
    /// Retries that were not made because the budget was used up.
    pub retries_over_budget: u64,
    /// Attempts that were sent beside a slow one because a policy hedges.
    pub hedges: u64,
    /// How often Redis said whether a request may pass limits of scope `Exact`.
    pub exact_asked: u64,
    /// How often it did not, so that this gateway counted for itself.
    pub exact_alone: u64,
    /// Requests that policies refused, and would have refused if they were enforced.
    pub policies: BTreeMap<String, Refusals>,
    /// Lines of the access log that were dropped because its writer was behind.
    pub log_lines_dropped: u64,
}

/// What a policy refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Refusals {
    /// Requests that were refused.
    pub refused: u64,
    /// Requests that passed, and would not have if the policy were enforced rather than tried. A second behind.
    pub would_have_refused: u64,
}

/// Refusals by policy, as `namespace/name`. Behind a lock that one worker takes for a refusal, and whoever asks.
#[derive(Debug, Default)]
pub(crate) struct RefusedBy(Mutex<BTreeMap<String, u64>>);

/// Policies beyond this many are counted together, as `other`.
const POLICIES: usize = 1024;

impl RefusedBy {
    pub(crate) fn count(&self, source: &Source) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let name = name(source);
        let name = match known.len() < POLICIES || known.contains_key(&name) {
            true => name,
            false => "other".to_owned(),
        };
        *known.entry(name).or_default() += 1;
    }

    /// What machines that are only tried have counted.
    pub(crate) fn set(&self, states: impl Iterator<Item = GuardState>) {
        let mut tried = BTreeMap::new();
        for state in states.filter(|state| state.tried) {
            *tried.entry(name(&state.source)).or_default() += state.measured.refused();
        }
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = tried;
    }

    /// Adds what was counted, where `add` puts it.
    pub(crate) fn add_to(
        &self,
        policies: &mut BTreeMap<String, Refusals>,
        add: impl Fn(&mut Refusals, u64),
    ) {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (name, n) in &*known {
            add(policies.entry(name.clone()).or_default(), *n);
        }
    }
}

fn name(source: &Source) -> String {
    format!("{}/{}", source.namespace, source.policy)
}

impl Traffic {
    pub(crate) fn sum<'a>(workers: impl IntoIterator<Item = &'a WorkerStats>) -> Self {
        let mut sum = Self::default();
        let mut reasons = [0; Reason::ALL.len()];
        for stats in workers {
            sum.connections += stats.connections.get();
            sum.connections_accepted += stats.connections_accepted.get();
            sum.connections_refused += stats.connections_refused.get();
            sum.connections_timed_out += stats.connections_timed_out.get();
            sum.requests_running += stats.requests_running.get();
            sum.requests += stats.requests.get();
            sum.tunnels += stats.tunnels.get();
            sum.upstream_connections += stats.upstream_connections.get();
            sum.upstream_connects += stats.upstream_connects.get();
            sum.replays += stats.replays.get();
            sum.retries += stats.retries.get();
            sum.retries_over_budget += stats.retries_over_budget.get();
            sum.hedges += stats.hedges.get();
            sum.exact_asked += stats.exact_asked.get();
            sum.exact_alone += stats.exact_alone.get();
            sum.log_lines_dropped += stats.log_lines_dropped.get();
            for (total, counter) in sum.classes.iter_mut().zip(&stats.classes) {
                *total += counter.get();
            }
            for (total, counter) in reasons.iter_mut().zip(&stats.reasons) {
                *total += counter.get();
            }
        }
        let occurred = Reason::ALL.iter().zip(reasons).filter(|(_, n)| *n > 0);
        sum.reasons = occurred.map(|(reason, n)| (reason.code(), n)).collect();
        sum
    }
}
