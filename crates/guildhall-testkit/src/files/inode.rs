//! One file's content: as programs see it, as the platter has it, and every state in between that may reach the platter.

use std::collections::{BTreeMap, BTreeSet};

/// What the cache writes back as one.
pub(super) const PAGE: usize = 4096;

/// What the disk writes whole or not at all.
const SECTOR: usize = 512;

/// States of one page that are remembered; more than this between two syncs only repeat the pattern.
const VERSIONS: usize = 12;

/// A file.
#[derive(Clone, Default)]
pub(super) struct Inode {
    cache: Vec<u8>,
    platter: Vec<u8>,
    /// Unsynced states of each page, oldest first: any of them may have been written back.
    pages: BTreeMap<usize, Vec<Vec<u8>>>,
    /// Unsynced lengths, oldest first.
    lengths: Vec<usize>,
    /// Pages that take space.
    allocated: BTreeSet<usize>,
}

impl Inode {
    pub(super) fn cache(&self) -> &[u8] {
        &self.cache
    }

    /// The pages in this range that a write would have to allocate.
    pub(super) fn unallocated(&self, from: usize, to: usize) -> impl Iterator<Item = usize> {
        (from / PAGE..to.div_ceil(PAGE)).filter(|page| !self.allocated.contains(page))
    }

    /// Bytes that removing the file would free.
    pub(super) fn space(&self) -> u64 {
        (self.allocated.len() * PAGE) as u64
    }

    pub(super) fn write(&mut self, offset: usize, data: &[u8]) {
        let end = offset + data.len();
        if end > self.cache.len() {
            self.cache.resize(end, 0);
            self.lengths.push(end);
        }
        self.cache[offset..end].copy_from_slice(data);
        self.remember(offset, end);
        self.allocated.extend(offset / PAGE..end.div_ceil(PAGE));
    }

    /// Returns the bytes freed.
    pub(super) fn set_len(&mut self, length: usize) -> u64 {
        let before = self.cache.len();
        self.cache.resize(length, 0);
        self.lengths.push(length);
        // What was cut off reads as zeroes when the file grows again.
        self.remember(length.min(before), before);
        let cut = self.allocated.split_off(&length.div_ceil(PAGE));
        (cut.len() * PAGE) as u64
    }

    /// Notes the present state of the pages in a range.
    fn remember(&mut self, from: usize, to: usize) {
        for page in from / PAGE..to.div_ceil(PAGE) {
            let versions = self.pages.entry(page).or_default();
            if versions.len() == VERSIONS {
                versions.remove(VERSIONS / 2);
            }
            versions.push(page_of(&self.cache, page));
        }
    }

    /// Everything unsynced reaches the platter.
    pub(super) fn sync(&mut self) {
        self.platter.resize(self.cache.len(), 0);
        for (page, versions) in std::mem::take(&mut self.pages) {
            if let Some(last) = versions.last() {
                put(&mut self.platter, page * PAGE, last);
            }
        }
        self.lengths.clear();
    }

    /// Everything unsynced is lost to the platter, but stays in the cache and counts as clean.
    pub(super) fn lose(&mut self) {
        self.pages.clear();
        self.lengths.clear();
    }

    pub(super) fn corrupt(&mut self, change: impl FnOnce(&mut Vec<u8>)) {
        change(&mut self.cache);
        self.platter.clone_from(&self.cache);
        self.lose();
    }

    /// The file after a power loss.
    pub(super) fn crash(&self, rng: &mut fastrand::Rng) -> Self {
        let mut content = self.platter.clone();
        match rng.u8(..8) {
            0 => {}
            1 => content.clone_from(&self.written_back()),
            kind => {
                let lengths = self.lengths.len();
                let length = match rng.usize(..=lengths) {
                    0 => content.len(),
                    nth => self.lengths[nth - 1],
                };
                content.resize(length, 0);
                let first = self.pages.keys().next().copied().unwrap_or(0);
                let last = self.pages.keys().next_back().copied().unwrap_or(0);
                let bound = rng.usize(first..=last);
                for (page, versions) in &self.pages {
                    let some = |rng: &mut fastrand::Rng| match rng.usize(..=versions.len()) {
                        0 => None,
                        nth => versions.get(nth - 1),
                    };
                    let newest = versions.last();
                    match kind {
                        // The pages up to a point, those from a point on, all but one.
                        2 => keep(&mut content, *page, newest.filter(|_| *page < bound)),
                        3 => keep(&mut content, *page, newest.filter(|_| *page > bound)),
                        4 => keep(&mut content, *page, newest.filter(|_| *page != bound)),
                        5 => keep(&mut content, *page, some(rng)),
                        // Torn at sectors.
                        _ => {
                            for sector in 0..PAGE / SECTOR {
                                if let Some(version) = some(rng) {
                                    let at = sector * SECTOR;
                                    put(&mut content, page * PAGE + at, &version[at..at + SECTOR]);
                                }
                            }
                        }
                    }
                }
            }
        }
        Self {
            platter: content.clone(),
            cache: content,
            allocated: self.allocated.clone(),
            ..Self::default()
        }
    }

    /// The platter after everything unsynced was written back, which a failed sync's pages never are.
    fn written_back(&self) -> Vec<u8> {
        let mut synced = self.clone();
        synced.sync();
        synced.platter
    }
}

fn keep(content: &mut [u8], page: usize, version: Option<&Vec<u8>>) {
    if let Some(version) = version {
        put(content, page * PAGE, version);
    }
}

/// A page's bytes, with zeroes behind the file's end.
fn page_of(bytes: &[u8], page: usize) -> Vec<u8> {
    let start = (page * PAGE).min(bytes.len());
    let end = (start + PAGE).min(bytes.len());
    let mut content = bytes[start..end].to_vec();
    content.resize(PAGE, 0);
    content
}

/// Copies as much as the file's length admits.
fn put(content: &mut [u8], at: usize, bytes: &[u8]) {
    let end = (at + bytes.len()).min(content.len());
    if at < end {
        content[at..end].copy_from_slice(&bytes[..end - at]);
    }
}
