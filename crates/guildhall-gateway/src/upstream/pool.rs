//! Idle connections of one worker, by endpoint.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::Upstream;
use crate::snapshot::EndpointState;

/// Idle connections, by the endpoint's slot. The one used last is used next: what is not needed
/// grows old and is closed.
///
/// A slot is only given to another endpoint once nobody holds the old one's state, and every
/// connection does: so a slot never holds connections of two endpoints.
#[derive(Debug)]
#[expect(
    clippy::vec_box,
    reason = "a connection is large and moves between pool, request and body"
)]
pub(crate) struct Pools {
    by_slot: Vec<Vec<Box<Upstream>>>,
    most: usize,
    timeout: Duration,
}

impl Pools {
    /// At most `most` idle connections per endpoint, each for at most `timeout`.
    pub(crate) fn new(most: usize, timeout: Duration) -> Self {
        Self {
            by_slot: Vec::new(),
            most,
            timeout,
        }
    }

    /// An idle connection to `endpoint`, which may yet turn out to be closed.
    pub(crate) fn take(&mut self, endpoint: &Arc<EndpointState>) -> Option<Box<Upstream>> {
        self.by_slot.get_mut(endpoint.slot)?.pop()
    }

    /// Keeps a connection for the next request, if it is worth keeping.
    pub(crate) fn put(&mut self, mut upstream: Box<Upstream>, now: Instant) {
        let slot = upstream.endpoint.slot;
        if !upstream.endpoint.is_live() {
            return;
        }
        if self.by_slot.len() <= slot {
            self.by_slot.resize_with(slot + 1, Vec::new);
        }
        let idle = &mut self.by_slot[slot];
        if idle.len() < self.most {
            upstream.idle_since = Some(now);
            idle.push(upstream);
        }
    }

    /// Closes the idle connections to `endpoint`: one of them was found closed, and an instance
    /// that closed one has most likely closed all.
    pub(crate) fn discard(&mut self, endpoint: &Arc<EndpointState>) {
        if let Some(idle) = self.by_slot.get_mut(endpoint.slot) {
            idle.clear();
        }
    }

    /// Closes the idle connections to endpoints that get no more requests.
    pub(crate) fn prune(&mut self) {
        for idle in &mut self.by_slot {
            if idle
                .first()
                .is_some_and(|upstream| !upstream.endpoint.is_live())
            {
                idle.clear();
            }
        }
    }

    /// Closes what has been idle too long, and lets go of what the other end has closed.
    pub(crate) fn sweep(&mut self, now: Instant) {
        for idle in &mut self.by_slot {
            idle.retain_mut(|upstream| {
                let since = upstream.idle_since.unwrap_or(now);
                now.saturating_duration_since(since) < self.timeout && upstream.poll().is_pending()
            });
        }
    }

    /// Closes everything.
    pub(crate) fn clear(&mut self) {
        self.by_slot.clear();
    }
}
