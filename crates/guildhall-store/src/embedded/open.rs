//! Start: the format file, the latest checkpoint, and the log's records after it.

use std::{
    io::{self, BufReader, Read},
    path::{Path, PathBuf},
    sync::Arc,
    time::Instant,
};

use guildhall_log::{
    Log, OnDamage, Record, Sequence, Start, checkpoint,
    files::{Disk, DiskError, Files},
};

use super::{
    DumpError, Options, blobs,
    checkpoint::NAME,
    dump::{self, Checksum},
    feed::Feed,
    format::{Format, Found},
    history::History,
    published::Published,
    record::{Change, RecordError},
    shared::Shared,
    tables::{OutOfOrder, Tables},
    writer::Writer,
};

/// The longest record that the store may write.
const MAX_RECORD: usize = 16 << 20;

/// Where an embedded store keeps its files.
#[derive(Clone)]
pub struct Directories {
    /// The log, its checkpoints and the format file.
    pub log: Arc<dyn Files>,
    /// The blobs.
    pub blobs: Arc<dyn Files>,
}

impl Directories {
    /// `log` and `blobs` under a directory, created if missing, locked against other processes.
    ///
    /// # Errors
    /// [`OpenError::Disk`].
    pub fn under(directory: impl AsRef<Path>) -> Result<Self, OpenError> {
        let directory = directory.as_ref();
        let log = Disk::open(directory.join("log"))?;
        let blobs = Disk::open(directory.join("blobs"))?;
        Ok(Self {
            log: Arc::new(log),
            blobs: Arc::new(blobs),
        })
    }
}

/// Why a store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A directory could not be taken.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// A newer version wrote it.
    #[error(
        "the store has format version {found}, this version reads up to {supported}; start a newer guildhall"
    )]
    Version {
        /// What the directory has.
        found: u32,
        /// What this build reads.
        supported: u32,
    },
    /// The format file is not one.
    #[error("{file} cannot be understood; restore the latest snapshot into an empty directory")]
    Unreadable {
        /// The file.
        file: PathBuf,
    },
    /// There are records or a checkpoint, but no format file.
    #[error(
        "{directory} holds a store that was not restored to its end; empty it, then restore the snapshot again"
    )]
    Incomplete {
        /// The directory.
        directory: PathBuf,
    },
    /// The log, or the part that follows the checkpoint, is gone.
    #[error(
        "the log in {directory} is missing or does not continue its checkpoint; restore the latest snapshot into an empty directory"
    )]
    LogMissing {
        /// The directory.
        directory: PathBuf,
    },
    /// A restore needs an empty directory.
    #[error("{directory} is not empty; restore into an empty directory")]
    NotEmpty {
        /// The directory.
        directory: PathBuf,
    },
    /// The log could not be opened.
    #[error(transparent)]
    Log(#[from] guildhall_log::OpenError),
    /// The checkpoint, or the snapshot to be restored, could not be read.
    #[error(transparent)]
    Dump(#[from] DumpError),
    /// The operating system said no.
    #[error("{action} {file} failed")]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file or directory.
        file: PathBuf,
        /// The system's error.
        source: io::Error,
    },
}

impl OpenError {
    /// Whether what was stored cannot be read any more, so that only a snapshot brings it back.
    pub fn is_damage(&self) -> bool {
        match self {
            Self::Unreadable { .. }
            | Self::Incomplete { .. }
            | Self::LogMissing { .. }
            | Self::Dump(_) => true,
            Self::Log(error) => matches!(
                error,
                guildhall_log::OpenError::Damaged(_) | guildhall_log::OpenError::Dropped { .. }
            ),
            _ => false,
        }
    }
}

/// A store that is ready to be driven.
pub(crate) struct Opened {
    pub(crate) log: Log,
    pub(crate) writer: Writer,
    pub(crate) blob_log: Log,
    pub(crate) shared: Arc<Shared>,
}

/// Opens what is there; an empty directory becomes an empty store, with `new_incarnation`.
pub(crate) fn open(
    directories: &Directories,
    options: &Options,
    new_incarnation: u64,
    now: Instant,
) -> Result<Opened, OpenError> {
    let files = &directories.log;
    let found = Format::find(files)?;
    if found == Found::WithoutLog {
        return Err(OpenError::LogMissing {
            directory: files.path(""),
        });
    }
    let checkpoint = load(files)?;
    let incarnation = match found {
        Found::Store(format) => format.incarnation,
        _ if checkpoint.is_some() => {
            return Err(OpenError::Incomplete {
                directory: files.path(""),
            });
        }
        _ => new_incarnation,
    };
    let mut replay = Replay::new(checkpoint, incarnation, options, now);
    let log_options = guildhall_log::Options {
        on_damage: OnDamage::Refuse,
        max_record: options.log.max_record.max(MAX_RECORD),
        ..options.log.clone()
    };
    let (log, opened) = Log::open(Arc::clone(files), log_options, Start::Oldest, |record| {
        Ok(replay.record(record)?)
    })?;
    if opened.last < replay.from || opened.oldest > replay.from.next() {
        return Err(OpenError::LogMissing {
            directory: files.path(""),
        });
    }
    if !matches!(found, Found::Store(_)) && opened.last != Sequence::NONE {
        return Err(OpenError::Incomplete {
            directory: files.path(""),
        });
    }
    let current = Format::new(incarnation);
    if found != Found::Store(current) {
        current.write(files)?;
    }
    let (since, last) = (replay.bytes, replay.checkpoint_bytes);
    let Some((tables, history)) = replay.finish() else {
        return Err(OpenError::LogMissing {
            directory: files.path(""),
        });
    };
    let published = Arc::new(Published::new(tables));
    let (blobs, blob_log) = blobs::open(
        &directories.blobs,
        &options.log,
        options.blob_grace,
        Arc::clone(&published),
        now,
    )?;
    let shared = Arc::new(Shared::new(
        published,
        Feed::new(history),
        blobs,
        Arc::clone(files),
    ));
    let writer = Writer::new(Arc::clone(&shared), options, since, last, now);
    Ok(Opened {
        log,
        writer,
        blob_log,
        shared,
    })
}

/// A checkpoint's state.
struct Loaded {
    tables: Tables,
    sequence: Sequence,
    bytes: u64,
}

fn load(files: &Arc<dyn Files>) -> Result<Option<Loaded>, OpenError> {
    let Some(mut reader) = checkpoint::latest(files, NAME)? else {
        return Ok(None);
    };
    let sequence = reader.sequence();
    let mut counted = Counted {
        reader: &mut reader,
        bytes: 0,
    };
    let input = BufReader::with_capacity(256 << 10, &mut counted);
    let dump = dump::read(input, Checksum::Carrier, |_| Ok::<_, DumpError>(()))?;
    Ok(Some(Loaded {
        tables: dump.tables,
        sequence,
        bytes: counted.bytes,
    }))
}

/// Counts what passes.
struct Counted<R> {
    reader: R,
    bytes: u64,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(buffer)?;
        self.bytes += read as u64;
        Ok(read)
    }
}

/// Why a record cannot follow those before it.
#[derive(Debug, thiserror::Error)]
enum ReplayError {
    #[error(transparent)]
    Record(#[from] RecordError),
    #[error(transparent)]
    OutOfOrder(#[from] OutOfOrder),
}

/// Turns records into state and history.
struct Replay<'a> {
    options: &'a Options,
    now: Instant,
    tables: Tables,
    /// The checkpoint's last record; what comes up to it is history only.
    from: Sequence,
    checkpoint_bytes: u64,
    history: Option<History>,
    bytes: u64,
}

impl<'a> Replay<'a> {
    fn new(loaded: Option<Loaded>, incarnation: u64, options: &'a Options, now: Instant) -> Self {
        let loaded = loaded.unwrap_or_else(|| Loaded {
            tables: Tables::new(incarnation),
            sequence: Sequence::NONE,
            bytes: 0,
        });
        Self {
            options,
            now,
            tables: loaded.tables,
            from: loaded.sequence,
            checkpoint_bytes: loaded.bytes,
            history: None,
            bytes: 0,
        }
    }

    fn record(&mut self, record: Record<'_>) -> Result<(), ReplayError> {
        let change = Change::decode(record.payload)?;
        if record.sequence > self.from {
            self.bytes += record.payload.len() as u64;
            self.tables.apply(&change, &mut Vec::new())?;
        }
        if let Some(batch) = change.batch() {
            let first = batch.revision.saturating_sub(1);
            let history = self
                .history
                .get_or_insert_with(|| History::new(self.options.history.clone(), first));
            history.push(batch.clone(), record.sequence, self.now);
            history.trim(self.now);
        }
        Ok(())
    }

    /// The state and the history, if they end at the same revision.
    fn finish(self) -> Option<(Tables, History)> {
        let head = self.tables.index.revision;
        let mut history = self
            .history
            .unwrap_or_else(|| History::new(self.options.history.clone(), head));
        history.compact(self.tables.compacted);
        (history.head() == head).then_some((self.tables, history))
    }
}
