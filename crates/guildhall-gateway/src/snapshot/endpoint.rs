//! What is known of an endpoint beyond what its document says, and outlives every snapshot.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU32, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use guildhall_core::{document::InstanceId, route::table::ClusterKey};
use guildhall_resilience::balance::{PeakEwma, PeakEwmaConfig};

/// How long state is kept after its endpoint is gone, so that an instance that comes back, or a
/// route that was edited, finds it again.
const KEPT: Duration = Duration::from_secs(600);

/// State of one endpoint, shared by all workers.
#[derive(Debug)]
pub(crate) struct EndpointState {
    /// When it was first seen: what is new takes requests little by little, where a policy asks for that.
    pub(crate) since: Instant,
    /// Its place in every worker's pools. Used again once the state is dropped.
    pub(crate) slot: usize,
    /// `host:port`.
    pub(crate) label: Box<str>,
    /// Requests under way, over all workers: what balancing goes by.
    active: AtomicU32,
    /// Whether the present snapshot sends requests to it.
    live: AtomicBool,
    /// How long it takes to answer, where a policy goes by that.
    latency: Mutex<Option<(PeakEwmaConfig, Arc<PeakEwma>)>>,
}

impl EndpointState {
    pub(crate) fn load(&self) -> u32 {
        self.active.load(Relaxed)
    }

    /// Its latency, remembered so. What was measured stays if that is edited.
    pub(super) fn latency(&self, config: PeakEwmaConfig, now: Instant) -> Arc<PeakEwma> {
        let mut latency = self.latency.lock().unwrap_or_else(PoisonError::into_inner);
        let start = match &*latency {
            Some((told, latency)) if *told == config => return Arc::clone(latency),
            Some((_, latency)) => latency.latency(now),
            None => config.start,
        };
        let new = Arc::new(PeakEwma::new(PeakEwmaConfig { start, ..config }, now));
        *latency = Some((config, Arc::clone(&new)));
        new
    }

    pub(crate) fn is_live(&self) -> bool {
        self.live.load(Relaxed)
    }

    /// Counts a request until the guard is dropped.
    pub(crate) fn begin(self: &Arc<Self>) -> InFlight {
        self.active.fetch_add(1, Relaxed);
        InFlight(Arc::clone(self))
    }
}

/// A request under way at an endpoint.
#[derive(Debug)]
pub(crate) struct InFlight(Arc<EndpointState>);

impl InFlight {
    pub(crate) fn endpoint(&self) -> &Arc<EndpointState> {
        &self.0
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.active.fetch_sub(1, Relaxed);
    }
}

/// Which endpoint state belongs to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct EndpointKey {
    /// The service and the port meant.
    pub(crate) cluster: ClusterKey,
    /// The instance.
    pub(crate) instance: InstanceId,
    /// Where it is: an instance that moved is another endpoint.
    pub(crate) host: Box<str>,
    pub(crate) port: u16,
}

/// All endpoint state there is. Owned by the snapshot thread.
#[derive(Debug, Default)]
pub(crate) struct EndpointStates {
    known: HashMap<EndpointKey, Known>,
    free: Vec<usize>,
    slots: usize,
}

#[derive(Debug)]
struct Known {
    state: Arc<EndpointState>,
    /// When the last snapshot that used it was replaced.
    gone: Option<Instant>,
}

impl EndpointStates {
    /// The state of an endpoint that the next snapshot uses.
    pub(crate) fn take(&mut self, key: EndpointKey, now: Instant) -> Arc<EndpointState> {
        let (free, slots) = (&mut self.free, &mut self.slots);
        let known = self.known.entry(key).or_insert_with_key(|key| {
            let slot = free.pop().unwrap_or_else(|| {
                *slots += 1;
                *slots - 1
            });
            let label = match key.host.contains(':') {
                true => format!("[{}]:{}", key.host, key.port),
                false => format!("{}:{}", key.host, key.port),
            };
            let state = EndpointState {
                since: now,
                slot,
                label: label.into(),
                active: AtomicU32::new(0),
                live: AtomicBool::new(true),
                latency: Mutex::default(),
            };
            Known {
                state: Arc::new(state),
                gone: None,
            }
        });
        known.gone = None;
        known.state.live.store(true, Relaxed);
        Arc::clone(&known.state)
    }

    /// The next snapshot does not use `state` any more.
    pub(crate) fn release(&mut self, key: &EndpointKey, now: Instant) {
        if let Some(known) = self.known.get_mut(key) {
            known.gone = Some(now);
            known.state.live.store(false, Relaxed);
        }
    }

    /// Forgets what has been gone long enough and is not in use by anybody.
    pub(crate) fn sweep(&mut self, now: Instant) {
        let free = &mut self.free;
        self.known.retain(|_, known| {
            let over = known
                .gone
                .is_some_and(|gone| now.saturating_duration_since(gone) >= KEPT);
            // Workers and requests hold the state as long as they need its slot.
            let unused = Arc::strong_count(&known.state) == 1;
            if over && unused {
                free.push(known.state.slot);
            }
            !(over && unused)
        });
    }
}

#[cfg(test)]
mod tests {
    use guildhall_core::{
        document::{Namespace, ServiceName},
        route::table::Subset,
    };

    use super::*;

    fn key(host: &str) -> EndpointKey {
        EndpointKey {
            cluster: ClusterKey {
                namespace: Namespace::default(),
                service: ServiceName::new("s").unwrap(),
                subset: Subset::DefaultPort,
            },
            instance: InstanceId::new("i").unwrap(),
            host: host.into(),
            port: 80,
        }
    }

    #[test]
    fn state_outlives_its_endpoint_for_a_while_and_gives_its_slot_back() {
        let start = crate::clock::now();
        let at = |secs: u64| start + Duration::from_secs(secs);
        let mut states = EndpointStates::default();
        let first = states.take(key("a"), start);
        let running = first.begin();
        assert_eq!(
            (first.load(), first.is_live(), &*first.label),
            (1, true, "a:80")
        );

        states.release(&key("a"), at(0));
        assert!(!first.is_live());
        assert!(
            Arc::ptr_eq(&first, &states.take(key("a"), start)),
            "it comes back with what it had"
        );
        assert!(first.is_live());

        states.release(&key("a"), at(10));
        states.sweep(at(10_000));
        assert_eq!(states.known.len(), 1, "a request still runs there");
        drop((running, first));
        states.sweep(at(609));
        assert_eq!(states.known.len(), 1);
        states.sweep(at(610));
        assert_eq!(states.known.len(), 0);
        assert_eq!(states.take(key("fd00::1"), start).slot, 0);
        assert_eq!(&*states.take(key("fd00::1"), start).label, "[fd00::1]:80");
        assert_eq!(states.take(key("b"), start).slot, 1);
    }
}
