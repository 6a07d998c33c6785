//! What limits a request: one limiter for all, or one for its key.

use std::{
    borrow::Borrow,
    fmt,
    hash::{BuildHasher, Hash, RandomState},
    sync::Arc,
    time::Instant,
};

use crate::limiter::{Gcra, Keyed, Limited, SlidingWindow};

/// Decides at once whether a request goes.
pub trait Limit<Req> {
    /// Takes what the request costs.
    ///
    /// # Errors
    /// [`Limited`] if it may not go.
    fn admit(&self, request: &Req, now: Instant) -> Result<(), Limited>;
}

impl<Req> Limit<Req> for Arc<Gcra> {
    fn admit(&self, _: &Req, now: Instant) -> Result<(), Limited> {
        self.check(now).map(drop)
    }
}

impl<Req> Limit<Req> for Arc<SlidingWindow> {
    fn admit(&self, _: &Req, now: Instant) -> Result<(), Limited> {
        self.check(now).map(drop)
    }
}

/// A limit for each key; requests without one are not limited.
pub struct ByKey<Req, K, Q: ?Sized, S = RandomState> {
    keyed: Arc<Keyed<K, S>>,
    key: fn(&Req) -> Option<&Q>,
}

impl<Req, K, Q: ?Sized, S> ByKey<Req, K, Q, S> {
    /// Limits by what `key` finds in the request.
    pub fn new(keyed: Arc<Keyed<K, S>>, key: fn(&Req) -> Option<&Q>) -> Self {
        Self { keyed, key }
    }
}

impl<Req, K, Q: ?Sized, S> Clone for ByKey<Req, K, Q, S> {
    fn clone(&self) -> Self {
        Self {
            keyed: self.keyed.clone(),
            key: self.key,
        }
    }
}

impl<Req, K, Q: ?Sized, S> fmt::Debug for ByKey<Req, K, Q, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ByKey").finish_non_exhaustive()
    }
}

impl<Req, K, Q, S> Limit<Req> for ByKey<Req, K, Q, S>
where
    K: Hash + Eq + Borrow<Q>,
    Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    S: BuildHasher,
{
    fn admit(&self, request: &Req, now: Instant) -> Result<(), Limited> {
        match (self.key)(request) {
            Some(key) => self.keyed.check(key, now).map(drop),
            None => Ok(()),
        }
    }
}
