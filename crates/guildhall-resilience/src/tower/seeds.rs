//! Randomness of layers: a generator for each call, that clones of a service do not share.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

/// Seeds of generators, one for each call.
#[derive(Clone, Debug)]
pub(super) struct Seeds(Arc<AtomicU64>);

impl Seeds {
    pub(super) fn new(seed: u64) -> Self {
        Self(Arc::new(AtomicU64::new(seed)))
    }

    /// Another one each time; the generator itself mixes neighbours apart.
    pub(super) fn next(&self) -> fastrand::Rng {
        // The golden ratio's bits: Weyl's sequence visits every seed before it repeats one.
        let seed = self.0.fetch_add(0x9E37_79B9_7F4A_7C15, Relaxed);
        fastrand::Rng::with_seed(seed)
    }
}
