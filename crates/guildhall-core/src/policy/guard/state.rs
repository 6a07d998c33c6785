//! How machines stand: rows for a view of the fleet.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Instant,
};

use guildhall_resilience::breaker::Snapshot;

use super::share::Share;
use crate::{
    policy::{compile::ForcedOrder, effective::Source, spec::Section, target::Target},
    route::table::ClusterKey,
};

/// What a machine has let pass and what it has refused, since it was made.
#[derive(Debug, Default)]
pub struct Tally {
    passed: AtomicU64,
    refused: AtomicU64,
}

impl Tally {
    /// One passed.
    #[inline]
    pub fn pass(&self) {
        self.passed.fetch_add(1, Relaxed);
    }

    /// One was refused.
    #[inline]
    pub fn refuse(&self) {
        self.refused.fetch_add(1, Relaxed);
    }

    /// How many passed. Bulkheads, adaptive limits and timeouts count refusals alone.
    pub fn passed(&self) -> u64 {
        self.passed.load(Relaxed)
    }

    /// How many were refused.
    pub fn refused(&self) -> u64 {
        self.refused.load(Relaxed)
    }

    /// How many came.
    pub(super) fn came(&self) -> u64 {
        self.passed().wrapping_add(self.refused())
    }
}

/// How one machine stands.
#[derive(Clone, Debug, PartialEq)]
pub struct GuardState {
    /// What it guards.
    pub guarded: Guarded,
    /// The section it carries out.
    pub section: Section,
    /// The policy that refusals name, or the built-in defaults.
    pub source: Arc<Source>,
    /// Whether it is only tried: what it refused passed all the same.
    pub tried: bool,
    /// Its figures.
    pub measured: Measured,
}

/// What a machine guards.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Guarded {
    /// Requests to a service.
    Service(ClusterKey),
    /// Everything under a policy's target, by one of its rules.
    Target {
        /// The target.
        target: Target,
        /// The rule's name.
        rule: Arc<str>,
    },
}

/// The figures of a machine. Numbers of requests are counted since it was made.
#[derive(Clone, Debug, PartialEq)]
pub enum Measured {
    /// A breaker.
    Breaker {
        /// State, statistics, window and last transition.
        snapshot: Box<Snapshot>,
        /// Since when it has been in its state.
        since: Instant,
        /// The order that it obeys, if its state is one by order.
        forced: Option<ForcedOrder>,
    },
    /// A rate limit.
    RateLimit {
        /// Requests that passed.
        passed: u64,
        /// Requests that were refused.
        refused: u64,
        /// What it has of its limit, where others have the rest.
        share: Option<Share>,
    },
    /// A bulkhead.
    Bulkhead {
        /// Requests under way.
        in_flight: u32,
        /// Requests that wait.
        queued: u32,
        /// Requests that there may be at once.
        limit: u32,
        /// Requests that were refused.
        refused: u64,
    },
    /// An adaptive limit.
    Adaptive {
        /// Requests under way.
        in_flight: u32,
        /// Requests that there may be at once, at present.
        limit: u32,
        /// Requests that were refused.
        refused: u64,
    },
    /// A deadline.
    Deadline {
        /// Requests that ran out of time.
        refused: u64,
    },
}

impl Measured {
    /// How many requests it has refused; for a machine that is tried, would have.
    pub fn refused(&self) -> u64 {
        match self {
            Self::Breaker { snapshot, .. } => snapshot.rejected,
            Self::RateLimit { refused, .. }
            | Self::Bulkhead { refused, .. }
            | Self::Adaptive { refused, .. }
            | Self::Deadline { refused } => *refused,
        }
    }
}
