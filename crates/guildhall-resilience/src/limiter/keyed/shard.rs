//! One shard of a keyed limiter: a table from key to place, and the places in the order of use.

use std::borrow::Borrow;

use hashbrown::HashTable;

use super::super::gcra::Rate;
use super::super::{Allowed, Limited, RateLimit};
use super::KeyedStats;
use crate::linked::Linked;

#[derive(Debug)]
pub(super) struct Shard<K> {
    rate: Rate,
    capacity: u32,
    /// Places in the slab, by hash.
    places: HashTable<u32>,
    /// The most recently used key first.
    entries: Linked<Entry<K>>,
    evicted: u64,
    forgotten: u64,
}

#[derive(Debug)]
struct Entry<K> {
    hash: u64,
    tat: u64,
    key: K,
}

impl<K: Eq> Shard<K> {
    pub(super) fn new(rate: Rate, capacity: u32) -> Self {
        Self {
            rate,
            capacity,
            places: HashTable::new(),
            entries: Linked::new(),
            evicted: 0,
            forgotten: 0,
        }
    }

    #[inline]
    pub(super) fn check<Q>(
        &mut self,
        hash: u64,
        key: &Q,
        n: u32,
        now: u64,
    ) -> Result<Allowed, Limited>
    where
        K: Borrow<Q>,
        Q: Eq + ToOwned<Owned = K> + ?Sized,
    {
        let rate = self.rate;
        let cost = rate.cost(n);
        let Some(place) = self.find(hash, key) else {
            let Some(cost) = cost else {
                return Err(rate.limited(0, now, None));
            };
            // Within the burst, so it fits a key that has used nothing.
            let tat = now + cost;
            self.insert(
                Entry {
                    hash,
                    tat,
                    key: key.to_owned(),
                },
                now,
            );
            return Ok(rate.allowed(tat, now));
        };
        self.entries.move_to_front(place);
        let tat = self.entries.get_mut(place).map(|entry| &mut entry.tat);
        let (Some(tat), Some(cost)) = (tat, cost) else {
            return Err(rate.limited(self.tat(place), now, None));
        };
        match rate.next(*tat, now, cost) {
            Ok(next) => {
                *tat = next;
                Ok(rate.allowed(next, now))
            }
            Err(early) => Err(rate.limited(*tat, now, Some(early))),
        }
    }

    pub(super) fn status<Q>(&self, hash: u64, key: &Q, now: u64) -> RateLimit
    where
        K: Borrow<Q>,
        Q: Eq + ?Sized,
    {
        let tat = self.find(hash, key).map_or(0, |place| self.tat(place));
        self.rate.allowed(tat, now).status()
    }

    pub(super) fn stats(&self) -> KeyedStats {
        KeyedStats {
            keys: self.entries.len() as usize,
            evicted: self.evicted,
            forgotten: self.forgotten,
        }
    }

    pub(super) fn reconfigure(&mut self, rate: Rate, now: u64) {
        for entry in self.entries.values_mut() {
            entry.tat = self.rate.carried(entry.tat, now, rate);
        }
        self.rate = rate;
    }

    #[inline]
    fn find<Q>(&self, hash: u64, key: &Q) -> Option<u32>
    where
        K: Borrow<Q>,
        Q: Eq + ?Sized,
    {
        self.places
            .find(hash, |place| {
                self.entries
                    .get(*place)
                    .is_some_and(|entry| entry.hash == hash && entry.key.borrow() == key)
            })
            .copied()
    }

    fn tat(&self, place: u32) -> u64 {
        self.entries.get(place).map_or(0, |entry| entry.tat)
    }

    #[cold]
    fn insert(&mut self, entry: Entry<K>, now: u64) {
        if self.entries.len() >= self.capacity {
            self.evict(now);
        }
        let hash = entry.hash;
        let place = self.entries.push_front(entry);
        let entries = &self.entries;
        self.places.insert_unique(hash, place, |place| {
            entries.get(*place).map_or(0, |entry| entry.hash)
        });
    }

    fn evict(&mut self, now: u64) {
        let Some(last) = self.entries.back() else {
            return;
        };
        let Some(entry) = self.entries.remove(last) else {
            return;
        };
        if let Ok(place) = self.places.find_entry(entry.hash, |place| *place == last) {
            place.remove();
        }
        if entry.tat > now {
            self.forgotten += 1;
        } else {
            self.evicted += 1;
        }
    }
}
