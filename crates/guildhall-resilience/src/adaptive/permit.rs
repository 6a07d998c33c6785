//! A place among the requests under way, and the lack of one.

use std::ops::Deref;
use std::time::Instant;

use super::{Adaptive, Sample};
use crate::origin::nanos;
use crate::{Outcome, Pattern, Rejection};

/// A place. Dropping it gives it back and records nothing: a cancelled call is no evidence.
#[derive(Debug)]
#[must_use = "dropping a permit gives the place back"]
pub struct Permit<B: Deref<Target = Adaptive>> {
    adaptive: B,
    in_flight: u32,
    began: Instant,
}

impl<B: Deref<Target = Adaptive>> Permit<B> {
    pub(super) fn new(adaptive: B, in_flight: u32, began: Instant) -> Self {
        Self {
            adaptive,
            in_flight,
            began,
        }
    }

    /// How the call ended. Returns what the window showed if this closed one, and the limit may have moved.
    ///
    /// A success counts with its latency; a failure counts as a sign of overload; what is ignored counts as nothing.
    pub fn record(self, outcome: Outcome, now: Instant) -> Option<Sample> {
        let latency = nanos(now.saturating_duration_since(self.began));
        self.adaptive.record(outcome, latency, self.in_flight, now)
        // The place goes back as `self` drops.
    }
}

impl<B: Deref<Target = Adaptive>> Drop for Permit<B> {
    fn drop(&mut self) {
        self.adaptive.release();
    }
}

/// There are as many requests under way as there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{limit} requests are under way, the limit at present")]
pub struct AtLimit {
    /// The limit.
    pub limit: u32,
}

impl From<AtLimit> for Rejection {
    fn from(_: AtLimit) -> Self {
        Self {
            by: Pattern::Adaptive,
            retry_after: None,
        }
    }
}
