//! The hash of the table's maps: a multiplication per eight bytes.
//!
//! The keys are what operators wrote into routes; a client only looks up, so that it cannot build
//! the collisions that the standard library's slower hash defends against.

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
};

/// A map by text.
pub(super) type Map<V> = HashMap<Box<str>, V, BuildHasherDefault<Multiply>>;

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Multiply(u64);

/// The golden ratio's fraction: its bits are as irregular as any.
const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;

impl Multiply {
    fn add(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(FACTOR);
    }
}

impl Hasher for Multiply {
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.add(u64::from_le_bytes(*word));
        }
        if !rest.is_empty() {
            let mut word = [0; 8];
            word[..rest.len()].copy_from_slice(rest);
            self.add(u64::from_le_bytes(word));
        }
    }

    fn write_u8(&mut self, byte: u8) {
        self.add(u64::from(byte));
    }

    fn finish(&self) -> u64 {
        // The map takes its place from the low bits and its tag from the high ones; the product's
        // low bits know only the low bits of what went in.
        self.0 ^ (self.0 >> 32)
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::HashSet, hash::BuildHasher};

    use super::*;

    #[test]
    fn similar_names_spread() {
        let hasher = BuildHasherDefault::<Multiply>::default();
        let names = (0..10_000).map(|n| format!("service-{n}.shop.example.com"));
        let hashes: Vec<u64> = names.map(|name| hasher.hash_one(name.as_str())).collect();
        assert_eq!(hashes.iter().collect::<HashSet<_>>().len(), 10_000);
        let places: HashSet<u64> = hashes.iter().map(|hash| hash % 16_384).collect();
        // As many as throwing 10,000 balls into 16,384 buckets fills: 16,384 (1 - e^-0.61).
        assert!((7_300..7_800).contains(&places.len()), "{}", places.len());
    }
}
