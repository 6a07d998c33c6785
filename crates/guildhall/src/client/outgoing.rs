//! One call on its way through the layers.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use guildhall_resilience::deadline::Deadline;
use http::Request;

use crate::discovery::Endpoint;

/// One call on its way through the layers; a copy is another attempt at the same.
#[derive(Clone, Debug)]
pub(crate) struct Outgoing {
    /// Its URI is a path and a query.
    pub(crate) request: Request<Bytes>,
    /// How long anybody waits for the answer; of an attempt, how long that may take.
    pub(crate) deadline: Deadline,
    /// How long the platform was waited for.
    pub(crate) patience: Duration,
    /// What all its attempts share.
    pub(crate) tried: Arc<Tried>,
}

/// The endpoints that were tried for one call.
#[derive(Debug, Default)]
pub(crate) struct Tried(Mutex<Vec<Arc<Endpoint>>>);

impl Tried {
    fn list(&self) -> MutexGuard<'_, Vec<Arc<Endpoint>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that an attempt goes there.
    pub(crate) fn note(&self, endpoint: &Arc<Endpoint>) {
        self.list().push(endpoint.clone());
    }

    /// Whether an attempt went there.
    pub(crate) fn contains(&self, endpoint: &Endpoint) -> bool {
        self.list()
            .iter()
            .any(|tried| std::ptr::eq(&raw const **tried, endpoint))
    }

    /// Where the latest attempt went.
    pub(crate) fn latest(&self) -> Option<Arc<Endpoint>> {
        self.list().last().cloned()
    }

    /// Whether any attempt was sent.
    pub(crate) fn any(&self) -> bool {
        !self.list().is_empty()
    }
}
