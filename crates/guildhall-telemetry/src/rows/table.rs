//! Texts that come again and again, each kept once.

use std::hash::{BuildHasher, RandomState};

use hashbrown::HashTable;

/// Texts by number. A text has one number only.
#[derive(Clone, Debug, Default)]
pub struct Table {
    texts: Vec<Box<[u8]>>,
    numbers: HashTable<u32>,
    hasher: RandomState,
    bytes: usize,
    /// The one that was asked for last: often the next, too.
    last: u32,
}

impl Table {
    /// The number of a text, which is added if it is new.
    pub fn number(&mut self, text: &[u8]) -> u32 {
        if self.get(self.last) == Some(text) {
            return self.last;
        }
        let Self {
            texts,
            numbers,
            hasher,
            bytes,
            last,
        } = self;
        let hash = hasher.hash_one(text);
        let is_it = |number: &u32| *texts[*number as usize] == *text;
        if let Some(number) = numbers.find(hash, is_it) {
            *last = *number;
            return *number;
        }
        let number = u32::try_from(texts.len()).unwrap_or(u32::MAX);
        texts.push(text.into());
        *bytes += text.len() + 32;
        numbers.insert_unique(hash, number, |number| {
            hasher.hash_one(&*texts[*number as usize])
        });
        *last = number;
        number
    }

    /// The text of a number.
    pub fn get(&self, number: u32) -> Option<&[u8]> {
        self.texts.get(number as usize).map(|text| &**text)
    }

    /// Every text, in the order of the numbers.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        self.texts.iter().map(|text| &**text)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.texts.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.texts.is_empty()
    }

    /// Adds all texts of `other`; the number here of each of them.
    pub(super) fn adopt(&mut self, other: &Self) -> Vec<u32> {
        other.iter().map(|text| self.number(text)).collect()
    }

    /// About how much memory they take.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}
