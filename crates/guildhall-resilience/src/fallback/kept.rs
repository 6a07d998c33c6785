//! The last good answers, as many as fit.

use std::{
    borrow::Borrow,
    collections::HashMap,
    hash::Hash,
    time::{Duration, Instant},
};

use crate::{ConfigError, linked::Linked};

/// The last good answer to each request, bounded in number and in weight; what was stored longest ago goes first,
/// being the least worth.
///
/// It is not shared: a layer keeps it behind a lock that it takes for a good answer and for a failure, not for a
/// request.
///
/// ```
/// use guildhall_resilience::fallback::LastGood;
/// use std::time::{Duration, Instant};
///
/// let now = Instant::now();
/// let mut kept = LastGood::new(2, 1_000)?;
/// kept.store("/a", "A", 1, now);
/// kept.store("/b", "B", 1, now);
/// kept.store("/c", "C", 1, now + Duration::from_secs(1));
/// assert_eq!(kept.get("/a", now), None, "the oldest of three went");
/// assert_eq!(kept.get("/b", now + Duration::from_secs(5)), Some((&"B", Duration::from_secs(5))));
/// # Ok::<(), guildhall_resilience::ConfigError>(())
/// ```
#[derive(Debug)]
pub struct LastGood<K, V> {
    places: HashMap<K, u32>,
    /// The one that was stored longest ago in front.
    entries: Linked<Entry<K, V>>,
    most: usize,
    heaviest: usize,
    weight: usize,
}

#[derive(Debug)]
struct Entry<K, V> {
    key: K,
    value: V,
    weight: usize,
    stored: Instant,
}

impl<K: Hash + Eq + Clone, V> LastGood<K, V> {
    /// At most `most` answers that weigh at most `heaviest` together (bytes, say).
    ///
    /// # Errors
    /// If one of them is zero, or `most` over a million.
    pub fn new(most: usize, heaviest: usize) -> Result<Self, ConfigError> {
        ConfigError::unless(
            (1..=1_000_000).contains(&most),
            "most",
            "must be 1 to 1000000 answers",
        )?;
        ConfigError::unless(heaviest > 0, "heaviest", "must be more than nothing")?;
        Ok(Self {
            places: HashMap::new(),
            entries: Linked::new(),
            most,
            heaviest,
            weight: 0,
        })
    }

    /// Keeps a good answer in the place of the one before. One that alone weighs more than all may is not kept, and
    /// the one before goes: it is not the last good answer any more.
    pub fn store(&mut self, key: K, value: V, weight: usize, now: Instant) {
        self.remove(&key);
        if weight > self.heaviest {
            return;
        }
        while self.places.len() >= self.most || self.weight + weight > self.heaviest {
            let Some(oldest) = self.entries.front() else {
                break;
            };
            self.take_out(oldest);
        }
        let entry = Entry {
            key: key.clone(),
            value,
            weight,
            stored: now,
        };
        let place = self.entries.push_back(entry);
        self.places.insert(key, place);
        self.weight += weight;
    }

    /// The last good answer and its age.
    pub fn get<Q: Hash + Eq + ?Sized>(&self, key: &Q, now: Instant) -> Option<(&V, Duration)>
    where
        K: Borrow<Q>,
    {
        let entry = self.entries.get(*self.places.get(key)?)?;
        Some((&entry.value, now.saturating_duration_since(entry.stored)))
    }

    /// Forgets what was kept for `key`.
    pub fn remove<Q: Hash + Eq + ?Sized>(&mut self, key: &Q)
    where
        K: Borrow<Q>,
    {
        if let Some(place) = self.places.get(key).copied() {
            self.take_out(place);
        }
    }

    /// How many answers are kept.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// What they weigh together.
    pub fn weight(&self) -> usize {
        self.weight
    }

    fn take_out(&mut self, place: u32) {
        if let Some(entry) = self.entries.remove(place) {
            self.weight -= entry.weight;
            self.places.remove(&entry.key);
        }
    }
}
