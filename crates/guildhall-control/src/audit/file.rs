//! `audit.jsonl`: one record per line, rotated by size, written by a thread of its own.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::{AuditRecord, AuditSink};

/// How long the thread rests after a write, so that a burst costs a wake-up and a write each time
/// instead of each record (which was a tenth of a registration's CPU).
const REST: Duration = Duration::from_millis(10);

/// Where the audit file is and how much of it is kept.
#[derive(Clone, Debug)]
pub struct FileSinkOptions {
    /// The file written to.
    pub path: PathBuf,
    /// The size at which it is renamed to `{path}.1`, in bytes; 64 MiB by default.
    pub rotate_at: u64,
    /// How many renamed files are kept; 4 by default.
    pub keep: u32,
    /// How many records may wait for the disk; those beyond are counted as lost. 8,192 by default.
    pub queue: usize,
}

impl FileSinkOptions {
    /// The defaults, for the file `path`.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            rotate_at: 64 << 20,
            keep: 4,
            queue: 8_192,
        }
    }
}

/// An audit file that cannot be opened.
#[derive(Debug, thiserror::Error)]
#[error("cannot write the audit file {}: {source}; make its folder writable or name another file", path.display())]
pub struct AuditFileError {
    /// The file.
    pub path: PathBuf,
    /// What the system says.
    pub source: io::Error,
}

/// Keeps audit records in a file. Dropping it writes what still waits.
pub struct FileSink {
    queue: Arc<Queue>,
    capacity: usize,
    writer: Option<JoinHandle<()>>,
}

/// What waits for the thread.
#[derive(Default)]
struct Queue {
    state: Mutex<Waiting>,
    wake: Condvar,
    lost: AtomicU64,
}

#[derive(Default)]
struct Waiting {
    records: Vec<AuditRecord>,
    /// The thread waits to be woken by the first record; else it comes by itself.
    asleep: bool,
    stopped: bool,
}

impl FileSink {
    /// Opens the file for appending and starts the thread that writes it.
    pub fn open(options: FileSinkOptions) -> Result<Self, AuditFileError> {
        let path = options.path.clone();
        let failed = |source| AuditFileError {
            path: path.clone(),
            source,
        };
        let capacity = options.queue;
        let rotated = Rotated::open(options).map_err(failed)?;
        let queue = Arc::new(Queue::default());
        let taken = Arc::clone(&queue);
        let writer = std::thread::Builder::new()
            .name("audit".to_owned())
            .spawn(move || write_all(rotated, &taken))
            .map_err(failed)?;
        Ok(Self {
            queue,
            capacity,
            writer: Some(writer),
        })
    }
}

impl AuditSink for FileSink {
    fn record(&self, record: AuditRecord) {
        let mut waiting = self.queue.lock();
        if waiting.records.len() >= self.capacity {
            self.queue.lost.fetch_add(1, Ordering::Relaxed);
            return;
        }
        waiting.records.push(record);
        if std::mem::take(&mut waiting.asleep) {
            drop(waiting);
            self.queue.wake.notify_one();
        }
    }

    fn lost(&self) -> u64 {
        self.queue.lost.load(Ordering::Relaxed)
    }
}

impl Drop for FileSink {
    fn drop(&mut self) {
        self.queue.lock().stopped = true;
        self.queue.wake.notify_one();
        if let Some(writer) = self.writer.take() {
            // A writer that panicked has already said so on stderr.
            let _ = writer.join();
        }
    }
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for records and takes them all, in exchange for an empty vector whose allocation is
    /// reused; false when there will be none any more.
    fn take(&self, emptied: &mut Vec<AuditRecord>) -> bool {
        let mut waiting = self.lock();
        while waiting.records.is_empty() && !waiting.stopped {
            waiting.asleep = true;
            waiting = self
                .wake
                .wait(waiting)
                .unwrap_or_else(PoisonError::into_inner);
        }
        waiting.asleep = false;
        std::mem::swap(&mut waiting.records, emptied);
        !emptied.is_empty()
    }

    /// Lets records gather, unless there is no time left for that.
    fn rest(&self) {
        let working = |waiting: &mut Waiting| !waiting.stopped;
        // A poisoned lock is met again, and taken, by the next look at the queue.
        drop(self.wake.wait_timeout_while(self.lock(), REST, working));
    }
}

/// The thread: writes what waits to the file, rests, and comes back, until the sink is dropped.
fn write_all(mut file: Rotated, queue: &Queue) {
    let mut broken = false;
    let mut records = Vec::new();
    while queue.take(&mut records) {
        let mut results: Vec<_> = records
            .drain(..)
            .map(|record| file.append(&record))
            .collect();
        results.push(file.flush());
        let mut failed = false;
        for error in results.into_iter().filter_map(Result::err) {
            failed = true;
            queue.lost.fetch_add(1, Ordering::Relaxed);
            if !std::mem::replace(&mut broken, true) {
                let path = file.options.path.display();
                tracing::error!(%path, %error, "audit records are being lost");
            }
        }
        if broken && !failed {
            broken = false;
            tracing::warn!(path = %file.options.path.display(), "the audit file is written again");
        }
        queue.rest();
    }
}

/// The file, its size, and its predecessors `{path}.1` (the youngest) to `{path}.{keep}`.
struct Rotated {
    options: FileSinkOptions,
    file: BufWriter<File>,
    size: u64,
    line: Vec<u8>,
}

impl Rotated {
    fn open(options: FileSinkOptions) -> io::Result<Self> {
        let (file, size) = append_to(&options.path)?;
        Ok(Self {
            options,
            file,
            size,
            line: Vec::new(),
        })
    }

    fn append(&mut self, record: &AuditRecord) -> io::Result<()> {
        self.line.clear();
        serde_json::to_writer(&mut self.line, record)?;
        self.line.push(b'\n');
        let length = self.line.len() as u64;
        if self.size > 0 && self.size + length > self.options.rotate_at {
            self.rotate()?;
        }
        self.file.write_all(&self.line)?;
        self.size += length;
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }

    fn rotate(&mut self) -> io::Result<()> {
        self.file.flush()?;
        let path = &self.options.path;
        for n in (1..self.options.keep).rev() {
            match std::fs::rename(numbered(path, n), numbered(path, n + 1)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        if self.options.keep > 0 {
            std::fs::rename(path, numbered(path, 1))?;
        } else {
            std::fs::remove_file(path)?;
        }
        (self.file, self.size) = append_to(path)?;
        Ok(())
    }
}

fn append_to(path: &Path) -> io::Result<(BufWriter<File>, u64)> {
    let mut options = OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path)?;
    let size = file.metadata()?.len();
    Ok((BufWriter::new(file), size))
}

fn numbered(path: &Path, n: u32) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{n}"));
    name.into()
}
