//! Blobs: one file each, named by its hash, written and renamed into place before anyone may name it.

use std::{
    collections::HashMap,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use bytes::Bytes;
use guildhall_log::files::Files;

use super::alarm::earlier;
use crate::{BlobError, BlobHash, MAX_BLOB_BYTES};

/// What a blob that is not in place yet is called, after its hash.
const UNFINISHED: &str = ".new";

/// The blobs of one directory. Files are touched by one thread at a time (the worker's, or a tool's only one).
pub(crate) struct Blobs {
    files: Arc<dyn Files>,
    /// How long an unnamed blob is kept.
    grace: Duration,
    state: Mutex<State>,
}

struct State {
    /// Durable blobs, each with when it was last put or lost its last reference.
    known: HashMap<BlobHash, Instant>,
    /// When to look for unnamed ones next.
    due: Option<Instant>,
    /// Why nothing can be put any more: a sync failed, and a later one that succeeds would prove nothing.
    broken: Option<String>,
}

impl Blobs {
    /// Finds what is there. All of it counts as put just now.
    pub(crate) fn open(files: Arc<dyn Files>, grace: Duration, now: Instant) -> io::Result<Self> {
        let mut known = HashMap::new();
        for name in files.list()? {
            if let Ok(hash) = name.parse() {
                known.insert(hash, now);
            } else if name
                .strip_suffix(UNFINISHED)
                .is_some_and(|hash| hash.parse::<BlobHash>().is_ok())
            {
                files.remove(&name)?;
            }
        }
        // A name that an earlier run's rename made may not be durable yet, and will now be taken as such.
        files.sync_dir()?;
        let due = (!known.is_empty()).then(|| now + grace);
        Ok(Self {
            files,
            grace,
            state: Mutex::new(State {
                known,
                due,
                broken: None,
            }),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the blob is durable.
    pub(crate) fn has(&self, hash: &BlobHash) -> bool {
        self.state().known.contains_key(hash)
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.state().known.len()
    }

    /// Makes a blob durable. If nothing names it until then, it is due in a grace period.
    pub(crate) fn put(&self, bytes: &[u8], now: Instant) -> Result<BlobHash, BlobError> {
        if bytes.len() > MAX_BLOB_BYTES {
            return Err(BlobError::TooLarge { bytes: bytes.len() });
        }
        let hash = BlobHash::of(bytes);
        let failed = |cause: String| BlobError::Io {
            action: "writing",
            hash,
            cause,
        };
        {
            let mut state = self.state();
            if let Some(broken) = &state.broken {
                return Err(failed(broken.clone()));
            }
            if let Some(touched) = state.known.get_mut(&hash) {
                *touched = now;
                return Ok(hash);
            }
        }
        self.write(hash, bytes)
            .map_err(|error| failed(error.to_string()))?;
        let mut state = self.state();
        state.known.insert(hash, now);
        state.due = earlier(state.due, Some(now + self.grace));
        Ok(hash)
    }

    fn write(&self, hash: BlobHash, bytes: &[u8]) -> io::Result<()> {
        let name = hash.to_string();
        let unfinished = format!("{name}{UNFINISHED}");
        match self.files.remove(&unfinished) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let file = self.files.create(&unfinished)?;
        if let Err(error) = file.write_at(0, bytes) {
            // Left behind, it is removed at the next try or start.
            let _ = self.files.remove(&unfinished);
            return Err(error);
        }
        file.sync_data().map_err(|error| self.broke(error))?;
        self.files.rename(&unfinished, &name)?;
        self.files.sync_dir().map_err(|error| self.broke(error))
    }

    fn broke(&self, error: io::Error) -> io::Error {
        self.state().broken = Some(format!(
            "an earlier sync failed ({error}), restart after a check of the disk"
        ));
        error
    }

    /// Reads a blob and checks it.
    pub(crate) fn get(&self, hash: BlobHash) -> Result<Option<Bytes>, BlobError> {
        let bytes = match self.read(&hash.to_string()) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => {
                return Err(BlobError::Io {
                    action: "reading",
                    hash,
                    cause: error.to_string(),
                });
            }
        };
        if BlobHash::of(&bytes) != hash {
            // Unknown again, so that putting the same content writes it anew.
            self.state().known.remove(&hash);
            return Err(BlobError::Damaged { hash });
        }
        Ok(Some(bytes.into()))
    }

    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        let file = self.files.open(name)?;
        let length = file.length()?.min(MAX_BLOB_BYTES as u64 + 1);
        let mut bytes = vec![0; length as usize];
        let read = file.read_at(0, &mut bytes)?;
        bytes.truncate(read);
        Ok(bytes)
    }

    /// These lost their last reference: their time runs from now. Says when it is up.
    pub(crate) fn touch(&self, freed: &mut Vec<BlobHash>, now: Instant) -> Instant {
        let mut state = self.state();
        for hash in freed.drain(..) {
            if let Some(touched) = state.known.get_mut(&hash) {
                *touched = now;
            }
        }
        let due = now + self.grace;
        state.due = earlier(state.due, Some(due));
        due
    }

    /// When to look for unnamed blobs next.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.state().due
    }

    /// Looks again at this time.
    pub(crate) fn postpone(&self, until: Instant) {
        self.state().due = Some(until);
    }

    /// Forgets blobs that nothing names and nobody touched for the grace period; from here on no transaction can name
    /// them, and their files may be removed.
    pub(crate) fn forget(&self, named: impl Fn(&BlobHash) -> bool, now: Instant) -> Vec<BlobHash> {
        let mut state = self.state();
        let mut forgotten = Vec::new();
        let mut next = None;
        state.known.retain(|hash, touched| {
            if named(hash) {
                return true;
            }
            let due = *touched + self.grace;
            if due > now {
                next = earlier(next, Some(due));
                return true;
            }
            forgotten.push(*hash);
            false
        });
        state.due = next;
        forgotten
    }

    /// Removes the files of forgotten blobs, but for those that were put again since.
    pub(crate) fn remove(&self, forgotten: &[BlobHash]) {
        for hash in forgotten {
            if self.has(hash) {
                continue;
            }
            if let Err(error) = self.files.remove(&hash.to_string()) {
                // It is found again at the next start, and forgotten again.
                tracing::warn!(%error, %hash, "an unused blob could not be removed");
            }
        }
    }
}
