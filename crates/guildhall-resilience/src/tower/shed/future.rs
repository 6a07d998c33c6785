//! A request that was shed, or goes on.

use crate::tower::AdmittedFuture;

/// The future of [`Shedding`](super::Shedding).
pub type ShedFuture<F> = AdmittedFuture<F>;
