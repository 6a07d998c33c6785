//! What everybody may ask of the blobs: whether there is one, and its bytes.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use bytes::Bytes;
use guildhall_log::{ReadError, View};

use super::{
    super::published::Published,
    index::{Index, Place},
    record::{self, PREFIX},
};
use crate::{BlobError, BlobHash, MAX_BLOB_BYTES};

/// Blobs looked at in one tick, on the committing thread; commits come between two ticks.
const SWEPT: usize = 1024;
/// Keys that a message about a damaged blob lists at most.
const LISTED: usize = 16;

/// The blobs of one directory.
pub(crate) struct Blobs {
    pub(super) view: View,
    /// How long an unnamed blob is kept.
    pub(super) grace: Duration,
    /// Who names what.
    published: Arc<Published>,
    index: Mutex<Index>,
    /// When to look for unnamed ones, at the earliest.
    postponed: Mutex<Option<Instant>>,
}

/// The blobs of an embedded store at one moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct BlobStatus {
    /// Blobs that can be read and named.
    pub blobs: usize,
    /// Blobs that were found damaged or missing since the start and were not put again. Whatever names them needs the
    /// latest snapshot, or the same content put again.
    pub damaged: usize,
    /// Segments of their log.
    pub segments: usize,
    /// Bytes of records in them.
    pub bytes: u64,
    /// Bytes of that which are kept blobs; the rest is garbage.
    pub live: u64,
}

/// What stands at a place.
pub(super) enum Found {
    Blob(Bytes),
    /// Something else, or nothing.
    Damage(String),
}

impl Blobs {
    pub(super) fn new(
        view: View,
        grace: Duration,
        published: Arc<Published>,
        index: Index,
    ) -> Self {
        Self {
            view,
            grace,
            published,
            index: Mutex::new(index),
            postponed: Mutex::default(),
        }
    }

    pub(super) fn index(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn postponed(&self) -> MutexGuard<'_, Option<Instant>> {
        self.postponed
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the blob is durable.
    pub(crate) fn has(&self, hash: &BlobHash) -> bool {
        self.index().place(hash).is_some()
    }

    /// How they are.
    pub(crate) fn status(&self) -> BlobStatus {
        let segments = self.view.segments().len();
        let index = self.index();
        let (bytes, live) = index.bytes();
        BlobStatus {
            blobs: index.len(),
            damaged: index.damaged().len(),
            segments,
            bytes,
            live,
        }
    }

    /// The hash of bytes that may be a blob, and whether it is durable already; if so, its time runs anew. The caller
    /// computes the hash, so that the one thread that writes need not do so for all.
    pub(crate) fn known(&self, bytes: &[u8], now: Instant) -> Result<(BlobHash, bool), BlobError> {
        if bytes.len() > MAX_BLOB_BYTES {
            return Err(BlobError::TooLarge { bytes: bytes.len() });
        }
        let hash = BlobHash::of(bytes);
        Ok((hash, self.index().touch(&hash, now)))
    }

    /// Reads a blob and checks it. Blocks for that long.
    pub(crate) fn get(&self, hash: BlobHash) -> Result<Option<Bytes>, BlobError> {
        loop {
            let place = {
                let index = self.index();
                match index.place(&hash) {
                    Some(place) => place,
                    None if index.damaged().contains(&hash) => {
                        return Err(BlobError::Damaged { hash });
                    }
                    None => return Ok(None),
                }
            };
            match self.read(&hash, place) {
                Ok(Found::Blob(bytes)) => return Ok(Some(bytes)),
                // If it was moved or forgotten meanwhile, that decides.
                Ok(Found::Damage(what)) => self.damaged(hash, place, &what),
                Err(cause) => {
                    return Err(BlobError::Io {
                        action: "reading",
                        hash,
                        cause,
                    });
                }
            }
        }
    }

    /// What stands at a place. `Err` when that could not be found out.
    pub(super) fn read(&self, hash: &BlobHash, place: Place) -> Result<Found, String> {
        match self.view.read_at(place.at, place.record()) {
            Ok(record) => {
                let whole = matches!(record::decode(&record), Ok((stated, bytes))
                    if stated == *hash && BlobHash::of(bytes) == *hash);
                Ok(if whole {
                    Found::Blob(record.slice(PREFIX..))
                } else {
                    Found::Damage(format!(
                        "the record at {} of segment {} is another one",
                        place.at.offset, place.at.segment
                    ))
                })
            }
            Err(error @ (ReadError::Gone { .. } | ReadError::Damaged(_))) => {
                Ok(Found::Damage(error.to_string()))
            }
            Err(ReadError::Io { file, source }) => Err(format!("{}: {source}", file.display())),
            Err(error) => Err(error.to_string()),
        }
    }

    /// What stands at this place is not the blob; says so, if the blob still should be there.
    pub(super) fn damaged(&self, hash: BlobHash, place: Place, what: &str) {
        if self.index().damage(&hash, place) {
            self.say(&BTreeSet::from([hash]), what);
        }
    }

    /// Blobs that are named and not there count as damaged.
    pub(super) fn find_missing(&self) {
        let tables = self.published.load_full();
        let missing: BTreeSet<_> = {
            let mut index = self.index();
            let missing = tables
                .blobs
                .keys()
                .filter(|hash| index.place(hash).is_none());
            let missing: BTreeSet<_> = missing.copied().collect();
            missing.iter().for_each(|hash| index.miss(*hash));
            missing
        };
        if !missing.is_empty() {
            self.say(&missing, "there is no such record");
        }
    }

    /// Says which blobs are lost, and to whom.
    fn say(&self, lost: &BTreeSet<BlobHash>, what: &str) {
        let tables = self.published.load_full();
        let mut keys: BTreeMap<BlobHash, Vec<String>> = BTreeMap::new();
        for entry in tables.entries.iter() {
            for hash in entry.blobs.iter().filter(|hash| lost.contains(hash)) {
                let keys = keys.entry(*hash).or_default();
                if keys.len() < LISTED {
                    keys.push(String::from_utf8_lossy(&entry.key).into_owned());
                }
            }
        }
        for hash in lost {
            tracing::error!(
                %hash,
                what,
                named = tables.blobs.get(hash).copied().unwrap_or(0),
                by = ?keys.remove(hash).unwrap_or_default(),
                "a blob is damaged: put the same content again, or restore the latest snapshot"
            );
        }
    }

    /// These lost their last reference: their time runs from now. Says when it is up.
    pub(crate) fn touch(&self, freed: &mut Vec<BlobHash>, now: Instant) -> Instant {
        let mut index = self.index();
        freed.drain(..).for_each(|hash| index.free(hash, now));
        now + self.grace
    }

    /// When to look for unnamed blobs next.
    pub(crate) fn due(&self) -> Option<Instant> {
        let due = self.index().oldest_candidate()? + self.grace;
        let postponed = *self.postponed();
        Some(postponed.map_or(due, |postponed| postponed.max(due)))
    }

    /// Looks again at this time.
    pub(crate) fn postpone(&self, until: Instant) {
        *self.postponed() = Some(until);
    }

    /// Forgets blobs that nothing names and nobody touched for the grace period, a bounded number of them: from here on
    /// no transaction can name them, and their bytes are garbage.
    pub(crate) fn forget(&self, named: impl Fn(&BlobHash) -> bool, now: Instant) {
        self.index().forget(named, self.grace, now, SWEPT);
    }
}
