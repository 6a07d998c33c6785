//! Retention: whole segments leave, oldest first, each durably before the next and before its file is used again.

use std::sync::{Arc, PoisonError, atomic::Ordering::Relaxed};

use super::Log;
use crate::{CommitError, Sequence, segment::Segment, spare::Spare};

impl Log {
    /// Drops whole segments whose records all come before `sequence`, oldest first, durably. The segment being written
    /// always stays. Returns the oldest record kept afterwards.
    ///
    /// # Errors
    /// [`CommitError::Write`] when a file could not be removed (what was dropped until then stays dropped), or
    /// [`CommitError::Sync`] as for commits.
    pub fn drop_before(&mut self, sequence: Sequence) -> Result<Sequence, CommitError> {
        while let Some(oldest) = self.shared.oldest_below(sequence) {
            if self.read_only {
                return Err(CommitError::ReadOnly);
            }
            self.drop_segment(oldest)?;
        }
        Ok(self.shared.oldest())
    }

    /// Drops the oldest segment, which is in the list.
    fn drop_segment(&mut self, oldest: Arc<Segment>) -> Result<(), CommitError> {
        let files = Arc::clone(&self.shared.files);
        let name = oldest.name();
        let path = files.path(&name);
        // Removed from the list first: from here on no reader begins on it, and one that has it open keeps the file.
        self.shared
            .segments
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(0);
        let unread = Arc::strong_count(&oldest) == 1;
        let spare = (unread && self.spares.has_room()).then(|| self.spares.name());
        let gone = match &spare {
            Some(spare) => files.rename(&name, spare),
            None => files.remove(&name),
        };
        if let Err(error) = gone {
            self.shared
                .segments
                .write()
                .unwrap_or_else(PoisonError::into_inner)
                .insert(0, oldest);
            return Err(CommitError::Write {
                file: path,
                source: Arc::new(error),
            });
        }
        if let Err(error) = files.sync_dir() {
            return Err(self.poison(path, error));
        }
        self.shared.stats.segments.fetch_sub(1, Relaxed);
        self.shared.stats.dropped_segments.fetch_add(1, Relaxed);
        if let Some(name) = spare {
            self.spares.recycle(Spare {
                name,
                file: Arc::clone(&oldest.file),
            });
        }
        Ok(())
    }
}
