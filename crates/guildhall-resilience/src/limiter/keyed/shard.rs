//! One shard of a keyed limiter: places, an index of them, and the hand that finds a place for a newcomer.

use super::super::gcra::Rate;
use super::super::{Allowed, Limited, RateLimit};
use super::KeyedStats;
use super::entry::Entry;
use super::index::Index;
use super::levels::{FIRST, Levels, first_of, locate};
use crate::sync::atomic::{AtomicU64, Ordering::Relaxed};
use crate::sync::{Mutex, lock};

#[derive(Debug)]
#[repr(align(128))]
pub(super) struct Shard {
    interval: AtomicU64,
    window: AtomicU64,
    index: Index,
    places: Levels<Entry>,
    /// Who adds, takes out or edits; on lines of its own, so that they disturb nobody who only looks up.
    clock: Locked,
}

#[derive(Debug)]
#[repr(align(128))]
struct Locked(Mutex<Clock>);

/// Who has places, and which one is looked at next when one is needed.
#[derive(Debug)]
struct Clock {
    capacity: u32,
    len: u32,
    hand: u32,
    evicted: u64,
    forgotten: u64,
}

impl Shard {
    pub(super) fn new(rate: Rate, capacity: u32) -> Self {
        Self {
            interval: AtomicU64::new(rate.interval),
            window: AtomicU64::new(rate.window),
            index: Index::new(),
            places: Levels::new(),
            clock: Locked(Mutex::new(Clock {
                capacity,
                len: 0,
                hand: 0,
                evicted: 0,
                forgotten: 0,
            })),
        }
    }

    #[inline]
    pub(super) fn check(&self, print: u64, n: u32, now: u64) -> Result<Allowed, Limited> {
        let rate = self.rate();
        let known = self.find(print, |entry| entry.take(print, rate, rate.cost(n), now));
        match known {
            Some(answer) => answer,
            None => self.check_or_add(print, n, now),
        }
    }

    /// The same, with the lock held: no place changes hands.
    #[cold]
    fn check_or_add(&self, print: u64, n: u32, now: u64) -> Result<Allowed, Limited> {
        let mut clock = lock(&self.clock.0);
        let rate = self.rate();
        let cost = rate.cost(n);
        if let Some(answer) = self.find(print, |entry| entry.take(print, rate, cost, now)) {
            return answer;
        }
        let Some(cost) = cost else {
            return Err(rate.limited(0, now, None));
        };
        // Within the burst, so it fits a key that has used nothing.
        let tat = now + cost;
        self.add(&mut clock, print, tat, now);
        Ok(rate.allowed(tat, now))
    }

    pub(super) fn status(&self, print: u64, now: u64) -> RateLimit {
        let look = || self.find(print, |entry| entry.tat_of(print));
        let tat = look().or_else(|| {
            let _held = lock(&self.clock.0);
            look()
        });
        self.rate().allowed(tat.unwrap_or(0), now).status()
    }

    pub(super) fn stats(&self) -> KeyedStats {
        let clock = lock(&self.clock.0);
        KeyedStats {
            keys: clock.len as usize,
            evicted: clock.evicted,
            forgotten: clock.forgotten,
        }
    }

    pub(super) fn reconfigure(&self, new: Rate, now: u64) {
        let clock = lock(&self.clock.0);
        let old = self.rate();
        self.interval.store(new.interval, Relaxed);
        self.window.store(new.window, Relaxed);
        for entry in (0..clock.len).filter_map(|place| self.entry(place)) {
            entry.carry(old, new, now);
        }
    }

    #[inline]
    fn rate(&self) -> Rate {
        Rate {
            interval: self.interval.load(Relaxed),
            window: self.window.load(Relaxed),
        }
    }

    #[inline]
    fn find<T>(&self, print: u64, is: impl Fn(&Entry) -> Option<T>) -> Option<T> {
        self.index.find(print, |place| is(self.entry(place)?))
    }

    #[inline]
    fn entry(&self, place: u32) -> Option<&Entry> {
        let (level, at) = locate(place as usize);
        self.places.get(level)?.get(at)
    }

    fn print_of(&self, place: u32) -> u64 {
        self.entry(place).map_or(0, Entry::print)
    }

    /// A place for a key that has none.
    fn add(&self, clock: &mut Clock, print: u64, tat: u64, now: u64) {
        let place = if clock.len < clock.capacity {
            clock.len += 1;
            clock.len - 1
        } else {
            self.vacate(clock)
        };
        let (level, at) = locate(place as usize);
        // The last level ends where the capacity does.
        let first = first_of(level);
        let size = first.max(FIRST).min(clock.capacity as usize - first);
        let entries = self.places.make(level, size, Entry::new);
        let Some(entry) = entries.and_then(|entries| entries.get(at)) else {
            return;
        };
        let last = entry.print();
        if last != 0 {
            self.index.remove(last, place, |place| self.print_of(place));
        }
        let used_up = entry.replace(print, tat);
        match last {
            0 => {}
            _ if used_up > now => clock.forgotten += 1,
            _ => clock.evicted += 1,
        }
        self.index
            .insert(print, place, clock.len, |place| self.print_of(place));
    }

    /// The first place from the hand on that was not used since the hand passed; every one it passes gets a second
    /// chance. Others may use them as fast as it passes, so it goes round twice at most.
    fn vacate(&self, clock: &mut Clock) -> u32 {
        let mut place = clock.hand;
        for _ in 0..2 * u64::from(clock.len) {
            place = clock.hand;
            clock.hand = (place + 1) % clock.len.max(1);
            if !self.entry(place).is_some_and(Entry::was_used) {
                break;
            }
        }
        place
    }
}
