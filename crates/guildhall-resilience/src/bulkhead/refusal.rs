//! Why a bulkhead refused.

use crate::{Pattern, Rejection};

/// A request found no place.
///
/// When to come back cannot be told: it depends on how long others take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the bulkhead of {max_concurrent} requests at once {reason}")]
pub struct Refusal {
    /// Why.
    pub reason: Reason,
    /// Requests at once.
    pub max_concurrent: u32,
}

/// Why there was no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Reason {
    /// All places and the whole queue were taken.
    #[error("is full, and so is its queue")]
    Full,
    /// The request's deadline or the longest wait was over before a place was free.
    #[error("had no free place in time")]
    TooLate,
}

impl From<Refusal> for Rejection {
    fn from(_: Refusal) -> Self {
        Self {
            by: Pattern::Bulkhead,
            retry_after: None,
        }
    }
}
