//! Storage that grows while others read it: levels of doubling size, each allocated once and never moved.

use crate::sync::OnceLock;

/// Places of the first level; loom tracks every atomic, so its models do with fewer.
pub(super) const FIRST: usize = if cfg!(loom) { 2 } else { 16 };
/// Levels up to 67 million places, a sixteenth of the most keys there may be and more.
const LEVELS: usize = 23;

/// Levels of `T`.
#[derive(Debug)]
pub(super) struct Levels<T>([OnceLock<Box<[T]>>; LEVELS]);

impl<T> Levels<T> {
    pub(super) fn new() -> Self {
        Self(std::array::from_fn(|_| OnceLock::new()))
    }

    /// A level; nothing if it has not been made.
    #[inline]
    pub(super) fn get(&self, level: usize) -> Option<&[T]> {
        Some(self.0.get(level)?.get()?)
    }

    /// Makes a level if it is not there.
    pub(super) fn make(&self, level: usize, size: usize, item: impl Fn() -> T) -> Option<&[T]> {
        let level = self.0.get(level)?;
        Some(level.get_or_init(|| (0..size).map(|_| item()).collect()))
    }
}

/// Where a place is when levels hold `FIRST`, `FIRST`, 2 × `FIRST`, 4 × `FIRST` …: the level, and the place in it.
#[inline]
pub(super) fn locate(place: usize) -> (usize, usize) {
    let level = (usize::BITS - (place / FIRST).leading_zeros()) as usize;
    (level, place - first_of(level))
}

/// The first place of a level.
#[inline]
pub(super) fn first_of(level: usize) -> usize {
    // Half of `FIRST` is no whole level: the first one begins at nought.
    ((FIRST / 2) << level) & !(FIRST - 1)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn places_follow_each_other_through_the_levels() {
        let mut expect = (0, 0);
        for place in 0..10 * FIRST {
            assert_eq!(locate(place), expect, "{place}");
            expect.1 += 1;
            if expect.1 == FIRST << expect.0.max(1) >> 1 {
                expect = (expect.0 + 1, 0);
            }
        }
        assert_eq!(locate((1 << 26) - 1).0, LEVELS - 1);
    }
}
