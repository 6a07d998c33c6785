//! The name of a lease.

use std::{fmt, num::NonZeroU64};

/// Names a lease; never given out twice by one store. A lease outlives restarts of the engine; its time starts afresh
/// with each, so that a stalled platform does not declare the fleet dead.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct LeaseId(NonZeroU64);

impl LeaseId {
    /// The lease with this number; 0 is none.
    pub fn new(number: u64) -> Option<Self> {
        NonZeroU64::new(number).map(Self)
    }

    /// The number.
    pub fn get(self) -> u64 {
        self.0.get()
    }
}

impl fmt::Display for LeaseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
