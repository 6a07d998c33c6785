//! A limit for each key: a client, a header's value, a path parameter.
//!
//! Keys come from outside, so their number is bounded, and so is what each of them costs: a cache line and two to four
//! words of an index, whatever its length. When all places are taken, a newcomer gets one by *second chance* (CLOCK): a
//! hand goes round the places and takes the first one whose key nobody asked for since it last passed. That forgets what
//! the key had used up, which helps nobody to cheat: a key that is hammered, refused or not, has been asked for. Only
//! where every single key was asked for since, one of them has to go. How often keys went is counted ([`KeyedStats`]),
//! apart for those that had nothing used up, which lose nothing.
//!
//! A known key is looked up and judged without a lock, and without writing anything that keys share; newcomers and edits
//! take a lock. Large limiters are split into shards by hash, so that newcomers rarely meet; each shard has a hand and an
//! equal part of the capacity.
//!
//! Keys are not kept but told apart by their hash, all 64 bits of it. Two of a million keys have the same one, and with
//! it one limit, with a chance of 1 to 37 million. The hasher is keyed by default, so that outsiders, who choose the keys,
//! cannot know which ones would.

mod entry;
mod index;
mod levels;
mod shard;

use std::borrow::Borrow;
use std::hash::{BuildHasher, Hash, RandomState};
use std::marker::PhantomData;
use std::time::Instant;

use super::gcra::Rate;
use super::{Allowed, Limited, Quota, RateLimit};
use crate::ConfigError;
use crate::origin::Origin;
use crate::sync::{Mutex, lock};
use shard::Shard;

/// Below this many keys there is one shard, which is full only when all of them are there.
const SHARDED_FROM: usize = 1024;
/// Enough for newcomers, who alone take locks; a power of two.
const SHARDS: usize = 16;

/// A [`Gcra`](super::Gcra) for each key, with at most so many keys.
///
/// No key costs an allocation of its own; the places grow with the keys, doubling, up to the capacity.
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
    shards: Box<[Shard]>,
    hasher: S,
    origin: Origin,
    quota: Mutex<Quota>,
    keys: PhantomData<fn(&K)>,
}

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
    /// The same with a hasher of your own: good in each of its 64 bits, as keys are told apart by them; an unkeyed one
    /// only for keys that no outsider chooses.
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
            .map(|capacity| Shard::new(rate, capacity as u32))
            .collect();
        Ok(Self {
            shards,
            hasher,
            origin: Origin::new(now),
            quota: Mutex::new(quota),
            keys: PhantomData,
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
        Q: Hash + Eq + ?Sized,
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
        Q: Hash + Eq + ?Sized,
    {
        let print = self.print(key);
        self.shard(print).check(print, n, self.origin.nanos(now))
    }

    /// Where a key stands; takes nothing, and does not count as use.
    pub fn status<Q>(&self, key: &Q, now: Instant) -> RateLimit
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let print = self.print(key);
        self.shard(print).status(print, self.origin.nanos(now))
    }

    /// How full it is.
    pub fn stats(&self) -> KeyedStats {
        let mut all = KeyedStats::default();
        for shard in &self.shards {
            let stats = shard.stats();
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
            shard.reconfigure(Rate::new(&quota), now);
        }
        *held = quota;
    }

    /// A key's fingerprint; never 0.
    #[inline]
    fn print<Q: Hash + ?Sized>(&self, key: &Q) -> u64 {
        self.hasher.hash_one(key).max(1)
    }

    #[inline]
    fn shard(&self, print: u64) -> &Shard {
        // Bits that neither the index's slot nor its words are made of.
        let at = (print >> 28) as usize & (self.shards.len() - 1);
        &self.shards[at]
    }
}
