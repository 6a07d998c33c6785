//! From fingerprint to place: open addressing with linear probing, at most half full.
//!
//! A word holds the fingerprint's upper half and the place. Readers take no lock: what they find is a hint, which the
//! place confirms or not, and what they do not find they look for again under the shard's lock. So words may move under
//! their eyes, and a table that has been outgrown may be read to its end. Everything that writes holds the lock.

use super::levels::{FIRST, Levels};
use crate::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

const EMPTY: u64 = 0;

/// The tables, each twice as large as the one before. Outgrown ones stay: together they are as large as the present one.
#[derive(Debug)]
pub(super) struct Index {
    level: AtomicU32,
    tables: Levels<AtomicU64>,
}

impl Index {
    pub(super) fn new() -> Self {
        Self {
            level: AtomicU32::new(0),
            tables: Levels::new(),
        }
    }

    /// The first place that may be this fingerprint's and is said to be.
    #[inline]
    pub(super) fn find<T>(&self, print: u64, is: impl Fn(u32) -> Option<T>) -> Option<T> {
        // Relaxed: the table itself is acquired below, and an outgrown one does as well.
        let table = self.tables.get(self.level.load(Relaxed) as usize)?;
        let mask = table.len() - 1;
        let home = print as usize & mask;
        for step in 0..table.len() {
            let word = table[(home + step) & mask].load(Relaxed);
            if word == EMPTY {
                return None;
            }
            if word >> 32 == print >> 32
                && let Some(found) = is(place(word))
            {
                return Some(found);
            }
        }
        None
    }

    /// Adds a fingerprint that is not there; `len` are there with it, and `print_of` tells the others'.
    pub(super) fn insert(&self, print: u64, at: u32, len: u32, print_of: impl Fn(u32) -> u64) {
        let level = self.level.load(Relaxed) as usize;
        let fits = len as usize <= FIRST << level && self.tables.get(level).is_some();
        if fits {
            if let Some(table) = self.tables.get(level) {
                put(table, print, at);
            }
            return;
        }
        let level = level + usize::from(self.tables.get(level).is_some());
        let empty = || AtomicU64::new(EMPTY);
        let Some(table) = self.tables.make(level, (2 * FIRST) << level, empty) else {
            return;
        };
        // Places are given in order, and this one is the last.
        for place in 0..at {
            put(table, print_of(place), place);
        }
        put(table, print, at);
        self.level.store(level as u32, Relaxed);
    }

    /// Takes a fingerprint out. The words behind move up where that brings them nearer to where they belong.
    pub(super) fn remove(&self, print: u64, at: u32, print_of: impl Fn(u32) -> u64) {
        let Some(table) = self.tables.get(self.level.load(Relaxed) as usize) else {
            return;
        };
        let mask = table.len() - 1;
        let own = word(print, at);
        let mut hole = print as usize & mask;
        while table[hole].load(Relaxed) != own {
            if table[hole].load(Relaxed) == EMPTY {
                return;
            }
            hole = (hole + 1) & mask;
        }
        let mut next = hole;
        loop {
            next = (next + 1) & mask;
            let word = table[next].load(Relaxed);
            if word == EMPTY {
                break;
            }
            let home = print_of(place(word)) as usize & mask;
            // It may not stand before its home.
            if next.wrapping_sub(home) & mask >= next.wrapping_sub(hole) & mask {
                table[hole].store(word, Relaxed);
                hole = next;
            }
        }
        table[hole].store(EMPTY, Relaxed);
    }
}

fn put(table: &[AtomicU64], print: u64, at: u32) {
    let mask = table.len() - 1;
    let mut slot = print as usize & mask;
    while table[slot].load(Relaxed) != EMPTY {
        slot = (slot + 1) & mask;
    }
    table[slot].store(word(print, at), Relaxed);
}

/// Never [`EMPTY`], as it counts places from 1.
fn word(print: u64, place: u32) -> u64 {
    (print >> 32) << 32 | u64::from(place + 1)
}

#[inline]
fn place(word: u64) -> u32 {
    (word as u32).wrapping_sub(1)
}
