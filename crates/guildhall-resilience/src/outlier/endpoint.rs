//! One endpoint's record: what a balancer asks for every request, and what every answer is told to. Atomics only.

use std::time::{Duration, Instant};

use crate::Outcome;
use crate::origin::Origin;
use crate::sync::atomic::{
    AtomicU32, AtomicU64,
    Ordering::{AcqRel, Acquire, Relaxed, Release},
};

/// How a request to one endpoint ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Observed {
    /// It was answered as it should be.
    Success,
    /// The service itself failed.
    Failure,
    /// The endpoint was not there, or said that it is not: 502, 503, 504, no connection, no answer.
    GatewayFailure,
    /// Nothing can be said.
    Ignored,
}

impl Observed {
    /// What an outcome, with the status of the answer if there was one, says of the endpoint that gave it.
    pub const fn new(outcome: Outcome, status: Option<u16>) -> Self {
        match (outcome, status) {
            (Outcome::Success, _) => Self::Success,
            (Outcome::Ignored, _) => Self::Ignored,
            (Outcome::Failure, None | Some(502..=504)) => Self::GatewayFailure,
            (Outcome::Failure, Some(_)) => Self::Failure,
        }
    }
}

/// When a request began, in terms of the endpoint's ejections: one that began before an ejection says nothing of the
/// endpoint that has come back since.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket(u32);

/// An endpoint's record. Kept by whoever balances, for as long as the endpoint is in the set; made and kept over changes
/// of the set by [`Outlier::members`](super::Outlier::members).
#[derive(Debug)]
pub struct Endpoint<K> {
    key: K,
    origin: Origin,
    /// How often it was ejected: what a [`Ticket`] remembers.
    ejected: AtomicU32,
    /// When it may come back; 0 if it is in.
    until: AtomicU64,
    /// When it came back last; 0 if it never did.
    returned: AtomicU64,
    failures: AtomicU32,
    gateway_failures: AtomicU32,
    /// Of this interval: `all: 32 | failed: 32`.
    interval: AtomicU64,
}

/// What a record led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Streaks {
    pub(super) failures: u32,
    pub(super) gateway_failures: u32,
}

impl<K> Endpoint<K> {
    pub(super) fn new(key: K, origin: Origin) -> Self {
        Self {
            key,
            origin,
            ejected: AtomicU32::new(0),
            until: AtomicU64::new(0),
            returned: AtomicU64::new(0),
            failures: AtomicU32::new(0),
            gateway_failures: AtomicU32::new(0),
            interval: AtomicU64::new(0),
        }
    }

    /// Which endpoint it is.
    pub fn key(&self) -> &K {
        &self.key
    }

    /// A request to it begins.
    #[inline]
    pub fn begin(&self) -> Ticket {
        Ticket(self.ejected.load(Relaxed))
    }

    /// Whether it takes no requests at present. It comes back by time alone: nobody has to sweep for it.
    #[inline]
    pub fn is_ejected(&self, now: Instant) -> bool {
        let until = self.until.load(Acquire);
        until != 0 && self.origin.nanos(now) < until
    }

    /// How long it has been back; `None` if it never was ejected, or is. For the balancer's slow start: what comes back
    /// is given its share little by little.
    pub fn back_for(&self, now: Instant) -> Option<Duration> {
        let now = self.origin.nanos(now);
        let since = match self.until.load(Acquire) {
            0 => self.returned.load(Relaxed),
            // Its time is over, and nobody has noticed yet.
            until => until,
        };
        (since != 0 && now >= since).then(|| Duration::from_nanos(now - since))
    }

    /// Counts an answer; `None` if it says nothing: of an earlier time, or while ejected.
    #[inline]
    pub(super) fn count(&self, ticket: Ticket, observed: Observed) -> Option<Streaks> {
        if observed == Observed::Ignored
            || ticket.0 != self.ejected.load(Relaxed)
            || self.until.load(Relaxed) != 0
        {
            return None;
        }
        let failed = observed != Observed::Success;
        self.interval
            .fetch_add(1 << 32 | u64::from(failed), Relaxed);
        let streak = |of: &AtomicU32, grows: bool| {
            if grows {
                return of.fetch_add(1, Relaxed).saturating_add(1);
            }
            if of.load(Relaxed) != 0 {
                of.store(0, Relaxed);
            }
            0
        };
        Some(Streaks {
            failures: streak(&self.failures, failed),
            gateway_failures: streak(&self.gateway_failures, observed == Observed::GatewayFailure),
        })
    }

    /// Takes the interval's (requests, failures).
    pub(super) fn take_interval(&self) -> (u32, u32) {
        let interval = self.interval.swap(0, Relaxed);
        ((interval >> 32) as u32, interval as u32)
    }

    /// Whether its ejection has been noticed to be over or not.
    pub(super) fn until(&self) -> u64 {
        self.until.load(Relaxed)
    }

    /// One caller at a time.
    pub(super) fn eject(&self, until: u64) {
        self.ejected.fetch_add(1, Relaxed);
        self.until.store(until, Release);
    }

    /// Takes it back if its time is over; whether this call did.
    pub(super) fn come_back(&self, now: u64) -> bool {
        let until = self.until.load(Acquire);
        if until == 0 || now < until {
            return false;
        }
        // Before it counts again.
        self.failures.store(0, Relaxed);
        self.gateway_failures.store(0, Relaxed);
        self.interval.store(0, Relaxed);
        self.returned.store(until, Relaxed);
        self.until
            .compare_exchange(until, 0, AcqRel, Relaxed)
            .is_ok()
    }
}
