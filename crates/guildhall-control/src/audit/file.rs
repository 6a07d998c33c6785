//! `audit.jsonl`: one record per line, rotated by size, written by a thread of its own.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use super::{AuditRecord, AuditSink};

/// How many records are gathered for one write.
const BATCH: usize = 1_024;

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
    sender: Mutex<Option<SyncSender<AuditRecord>>>,
    lost: Arc<AtomicU64>,
    writer: Option<JoinHandle<()>>,
}

impl FileSink {
    /// Opens the file for appending and starts the thread that writes it.
    pub fn open(options: FileSinkOptions) -> Result<Self, AuditFileError> {
        let path = options.path.clone();
        let failed = |source| AuditFileError {
            path: path.clone(),
            source,
        };
        let rotated = Rotated::open(options.clone()).map_err(failed)?;
        let (sender, receiver) = sync_channel(options.queue);
        let lost = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&lost);
        let writer = std::thread::Builder::new()
            .name("audit".to_owned())
            .spawn(move || write_all(rotated, &receiver, &counter))
            .map_err(failed)?;
        Ok(Self {
            sender: Mutex::new(Some(sender)),
            lost,
            writer: Some(writer),
        })
    }
}

impl AuditSink for FileSink {
    fn record(&self, record: AuditRecord) {
        let sender = self.sender.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = sender
            .as_ref()
            .is_some_and(|sender| sender.try_send(record).is_ok());
        if !taken {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }
}

impl Drop for FileSink {
    fn drop(&mut self) {
        self.sender
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(writer) = self.writer.take() {
            // A writer that panicked has already said so on stderr.
            let _ = writer.join();
        }
    }
}

/// The thread: writes what waits, and then at once to the file, until every sender is gone.
fn write_all(mut file: Rotated, records: &Receiver<AuditRecord>, lost: &AtomicU64) {
    let mut broken = false;
    while let Ok(first) = records.recv() {
        let mut results = vec![file.append(&first)];
        results.extend(
            records
                .try_iter()
                .take(BATCH)
                .map(|record| file.append(&record)),
        );
        results.push(file.flush());
        let mut failed = false;
        for error in results.into_iter().filter_map(Result::err) {
            failed = true;
            lost.fetch_add(1, Ordering::Relaxed);
            if !std::mem::replace(&mut broken, true) {
                let path = file.options.path.display();
                tracing::error!(%path, %error, "audit records are being lost");
            }
        }
        if broken && !failed {
            broken = false;
            tracing::warn!(path = %file.options.path.display(), "the audit file is written again");
        }
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
