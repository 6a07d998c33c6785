//! A limit for each key: a client, a header's value, a path parameter.
//!
//! Keys come from outside, so their number is bounded: the least recently used one goes. That forgets what it had used
//! up, which helps nobody to cheat: a key that is hammered is recently used. How often it happened is counted
//! ([`KeyedStats`]), apart for keys that had nothing used up, which lose nothing.
//!
//! Large limiters are split into shards by hash, each with a lock and a list of its own, so that threads rarely meet;
//! the order of use is each shard's. The hasher is keyed by default, as outsiders choose the keys.

mod shard;

use std::borrow::Borrow;
use std::hash::{BuildHasher, Hash, RandomState};
use std::time::Instant;

use super::gcra::Rate;
use super::{Allowed, Limited, Quota, RateLimit};
use crate::ConfigError;
use crate::origin::Origin;
use crate::sync::{Mutex, lock};
use shard::Shard;

/// Below this many keys there is one shard, with an exact order of use.
const SHARDED_FROM: usize = 1024;
/// As many as any machine needs; a power of two.
const SHARDS: usize = 64;

/// A [`Gcra`](super::Gcra) for each key, with at most so many keys.
///
/// A known key costs no allocation; an unknown one is cloned, and the slab grows with the keys up to the capacity.
///
/// ```
/// use guildhall_resilience::limiter::{Keyed, Quota};
/// use std::time::Instant;
///
/// let now = Instant::now();
/// let limiter: Keyed<String> = Keyed::new(Quota::per_second(1)?, 10_000, now)?;
/// assert!(limiter.check("alice", now).is_ok());
/// assert!(limiter.check("alice", now).is_err());
/// assert!(limiter.check("bob", now).is_ok());
/// assert_eq!(limiter.stats().keys, 2);
/// # Ok::<(), guildhall_resilience::ConfigError>(())
/// ```
#[derive(Debug)]
pub struct Keyed<K, S = RandomState> {
    shards: Box<[Padded<K>]>,
    hasher: S,
    origin: Origin,
    quota: Mutex<Quota>,
}

/// A shard in cache lines of its own: two, as processors fetch them in pairs.
#[derive(Debug)]
#[repr(align(128))]
struct Padded<K>(Mutex<Shard<K>>);

/// How full a keyed limiter is, and what that has cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeyedStats {
    /// Keys at present.
    pub keys: usize,
    /// Keys that went for others and had nothing used up: nothing was lost.
    pub evicted: u64,
    /// Keys that went for others and had something used up: they start anew. If it grows, the capacity is too small.
    pub forgotten: u64,
}

impl<K: Hash + Eq> Keyed<K> {
    /// At most `capacity` keys, each with the quota of its own.
    ///
    /// # Errors
    /// If `capacity` is zero or over a thousand million.
    pub fn new(quota: Quota, capacity: usize, now: Instant) -> Result<Self, ConfigError> {
        Self::with_hasher(quota, capacity, now, RandomState::new())
    }
}

impl<K: Hash + Eq, S: BuildHasher> Keyed<K, S> {
    /// The same with a hasher of your own; an unkeyed one only for keys that no outsider chooses.
    ///
    /// # Errors
    /// As [`new`](Keyed::new).
    pub fn with_hasher(
        quota: Quota,
        capacity: usize,
        now: Instant,
        hasher: S,
    ) -> Result<Self, ConfigError> {
        ConfigError::unless(
            (1..=1_000_000_000).contains(&capacity),
            "capacity",
            "must be at least 1 and at most a thousand million keys",
        )?;
        let shards = if capacity < SHARDED_FROM { 1 } else { SHARDS };
        let rate = Rate::new(&quota);
        // No more than the capacity together; a remainder is spread over the first shards.
        let shards = (0..shards)
            .map(|at| capacity / shards + usize::from(at < capacity % shards))
            .map(|capacity| Padded(Mutex::new(Shard::new(rate, capacity as u32))))
            .collect();
        Ok(Self {
            shards,
            hasher,
            origin: Origin::new(now),
            quota: Mutex::new(quota),
        })
    }

    /// Whether one request of this key may go.
    ///
    /// # Errors
    /// [`Limited`] if not: it says when it may.
    #[inline]
    pub fn check<Q>(&self, key: &Q, now: Instant) -> Result<Allowed, Limited>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        self.check_n(key, 1, now)
    }

    /// Whether `n` requests of this key (or one that weighs as much) may go, all or none.
    ///
    /// # Errors
    /// [`Limited`] if not; without a `retry_after` if `n` is over the burst.
    pub fn check_n<Q>(&self, key: &Q, n: u32, now: Instant) -> Result<Allowed, Limited>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        let hash = self.hasher.hash_one(key);
        let now = self.origin.nanos(now);
        lock(self.shard(hash)).check(hash, key, n, now)
    }

    /// Where a key stands; takes nothing, and does not count as use.
    pub fn status<Q>(&self, key: &Q, now: Instant) -> RateLimit
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let hash = self.hasher.hash_one(key);
        lock(self.shard(hash)).status(hash, key, self.origin.nanos(now))
    }

    /// How full it is.
    pub fn stats(&self) -> KeyedStats {
        let mut all = KeyedStats::default();
        for shard in &self.shards {
            let stats = lock(&shard.0).stats();
            all.keys += stats.keys;
            all.evicted += stats.evicted;
            all.forgotten += stats.forgotten;
        }
        all
    }

    /// The quota of each key.
    pub fn quota(&self) -> Quota {
        *lock(&self.quota)
    }

    /// Another quota from now on; what each key has used up stays used up, as with
    /// [`Gcra::reconfigure`](super::Gcra::reconfigure). Touches every key, shard by shard.
    pub fn reconfigure(&self, quota: Quota, now: Instant) {
        let mut held = lock(&self.quota);
        let now = self.origin.nanos(now);
        for shard in &self.shards {
            lock(&shard.0).reconfigure(Rate::new(&quota), now);
        }
        *held = quota;
    }

    #[inline]
    fn shard(&self, hash: u64) -> &Mutex<Shard<K>> {
        // Not the highest bits: the table's tags are made of them.
        let at = (hash >> 40) as usize & (self.shards.len() - 1);
        &self.shards[at].0
    }
}
