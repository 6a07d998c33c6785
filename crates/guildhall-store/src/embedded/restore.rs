//! Makes a store out of a snapshot.

use std::{io::BufRead, sync::Arc, time::Instant};

use guildhall_core::document::Index;
use guildhall_log::{Log, Sequence, Start};

use super::{
    Directories, DumpError, OpenError, Options,
    blobs::{self, ByHand},
    checkpoint::{self, Job},
    dump::{self, Checksum},
    format::{Format, Found},
    published::Published,
    tables::Tables,
};

/// How far a restore raises the revision: beyond everything that was committed after the snapshot and is now lost, so
/// that no revision (and no ETag) ever means two things.
pub(super) const RAISE: u64 = 1_000_000_000;

/// What a restore brought back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Restored {
    /// The new incarnation, and the raised revision.
    pub index: Index,
    /// Entries.
    pub entries: usize,
    /// Blobs.
    pub blobs: u64,
}

/// Restores a snapshot into empty directories. `incarnation` is that of the new history, unless it must be higher.
pub(super) fn restore(
    directories: &Directories,
    options: &Options,
    snapshot: impl BufRead,
    incarnation: u64,
    now: Instant,
) -> Result<Restored, OpenError> {
    let files = &directories.log;
    let listing = |source| OpenError::Io {
        action: "listing",
        file: files.path(""),
        source,
    };
    if Format::find(files)? != Found::Unmarked || !files.list().map_err(listing)?.is_empty() {
        return Err(OpenError::NotEmpty {
            directory: files.path(""),
        });
    }
    let nothing = Arc::new(Published::new(Tables::new(incarnation)));
    let (blobs, log) = blobs::open(
        &directories.blobs,
        &options.log,
        options.blob_grace,
        nothing,
        now,
    )?;
    let mut writer = ByHand::new(Arc::clone(&blobs), log, Arc::default());
    let mut dump = dump::read(snapshot, Checksum::Own, |blob| {
        match writer.put_one_of_many(blob, now) {
            Ok((_, false)) => Ok(()),
            Ok((_, true)) => writer
                .commit(now)
                .map_err(|error| blob_failed(directories, error)),
            Err(error) => Err(OpenError::from(DumpError::Damaged(error.to_string()))),
        }
    })?;
    writer
        .commit(now)
        .and_then(|()| writer.into_log().close())
        .map_err(|error| blob_failed(directories, error))?;
    if let Some(missing) = dump.tables.blobs.keys().find(|blob| !blobs.has(blob)) {
        return Err(DumpError::Damaged(format!("blob {missing} is missing")).into());
    }
    let index = &mut dump.tables.index;
    index.incarnation = incarnation.max(index.incarnation + 1);
    index.revision += RAISE;
    let index = *index;
    dump.tables.compacted = index.revision;

    // The format file comes last: without it the directory counts as half restored, and is refused.
    let entries = dump.tables.entries.len();
    let job = Job {
        tables: dump.tables,
        sequence: Sequence::NONE,
    };
    checkpoint::write(&job, Arc::clone(files), || true).map_err(|source| OpenError::Io {
        action: "writing the checkpoint in",
        file: files.path(""),
        source,
    })?;
    drop(Log::open(
        Arc::clone(files),
        options.log.clone(),
        Start::Oldest,
        |_| Ok(()),
    )?);
    Format::new(index.incarnation).write(files)?;
    Ok(Restored {
        index,
        entries,
        blobs: dump.blobs,
    })
}

fn blob_failed(directories: &Directories, error: guildhall_log::CommitError) -> OpenError {
    let source = std::io::Error::other(error);
    OpenError::Io {
        action: "writing blobs in",
        file: directories.blobs.path(""),
        source,
    }
}
