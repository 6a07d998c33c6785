//! The store of traces: what was acknowledged is in the log, and what the log has goes into blocks.
//!
//! ```text
//! request ─▶ decoded ─▶ log (one sync for all who wait) ─▶ acknowledged, and in the head
//!                                                            head ─▶ a block, at 64 MiB or after five minutes ─▶ log dropped
//! query ◀─ head and blocks
//! ```
//!
//! A block is named by the records that are in it, so that a start knows from the blocks alone what is still to be read from
//! the log: nothing is there twice, and nothing is missing.

mod cutter;
mod error;
mod head;
mod held;
mod options;
mod query;
mod wal;

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use bytes::Bytes;
use guildhall_log::files::Files;
use guildhall_log::{Committer, CommitterOptions, Log, OnDamage, Start, SubmitError, Submitter};
use tokio::sync::oneshot;

pub use error::{IngestError, OpenError};
pub use options::Options;
pub use query::{Cursor, Found, Page, Trace};

use crate::block;
use crate::otlp::{self, Rejected};
use head::{Batch, Head};
use held::Held;
use wal::{Request, Wal};

/// Where a store keeps its files.
#[derive(Clone)]
pub struct Directories {
    /// The log.
    pub log: Arc<dyn Files>,
    /// The blocks.
    pub blocks: Arc<dyn Files>,
}

/// What a store has and has met.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Spans in memory, and in the log, that are in no block yet.
    pub head_spans: u64,
    /// About how many bytes of memory they take.
    pub head_bytes: u64,
    /// Blocks.
    pub blocks: u64,
    /// Spans in blocks.
    pub block_spans: u64,
    /// Records of the log and blocks that could not be read and were left aside.
    pub quarantined: u64,
    /// Blocks that could not be written; they are tried again.
    pub failed_cuts: u64,
}

/// A store of traces. Ends, with all that it has on disk, when it is dropped.
pub struct Store {
    shared: Arc<Shared>,
    submitter: Submitter<Request>,
    /// Before the cutter: what it commits last is cut no more, and is in the log.
    committer: Option<Committer<Wal>>,
    cutter: Option<thread::JoinHandle<()>>,
}

struct Shared {
    options: Options,
    files: Arc<dyn Files>,
    state: Mutex<State>,
    /// The state changed.
    changed: Condvar,
}

#[derive(Default)]
struct State {
    head: Head,
    /// The oldest first.
    blocks: Vec<Arc<Held>>,
    /// Blocks that could not be opened.
    unopened: u32,
    quarantined: u64,
    failed_cuts: u64,
    stopping: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store {
    /// Opens a store, or begins one in empty folders.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(directories: Directories, options: Options) -> Result<Self, OpenError> {
        let Directories { log, blocks: files } = directories;
        block::sweep(&*files)?;
        let (blocks, unopened) = held::open_all(&*files)?;
        let mut quarantined = u64::from(unopened);
        let covered = blocks.iter().map(|held| held.last).max();
        let mut head = Head::default();
        let mut log_options = options.log.clone();
        log_options.on_damage = OnDamage::Quarantine;
        let (log, opened) = Log::open(log, log_options, Start::Oldest, |record| {
            if covered.is_some_and(|covered| record.sequence <= covered) {
                return Ok(());
            }
            match otlp::traces(record.payload) {
                Ok((rows, _)) => head.push(Batch::new(record.sequence, rows)),
                // It was read once before it was acknowledged: an older version took what this one does not.
                Err(error) => {
                    tracing::error!(%error, sequence = %record.sequence, "a record of the traces' log is left aside");
                    quarantined += 1;
                }
            }
            Ok(())
        })?;
        quarantined += opened.quarantined.len() as u64;
        let state = State {
            head,
            blocks,
            unopened,
            quarantined,
            ..State::default()
        };
        let shared = Arc::new(Shared {
            options,
            files,
            state: Mutex::new(state),
            changed: Condvar::new(),
        });
        let committer = CommitterOptions {
            name: "traces-log".to_owned(),
            queue_bytes: shared.options.queue_bytes,
            ..CommitterOptions::default()
        };
        let committer = Committer::start(log, Wal::new(Arc::clone(&shared)), committer)?;
        let submitter = committer.submitter();
        let (cutting, drops) = (Arc::clone(&shared), submitter.clone());
        let cutter = thread::Builder::new()
            .name("traces-cut".to_owned())
            .spawn(move || cutter::run(&cutting, &drops))?;
        Ok(Self {
            submitter,
            committer: Some(committer),
            cutter: Some(cutter),
            shared,
        })
    }

    /// Takes an OTLP `ExportTraceServiceRequest` in protobuf, and answers once its spans are durable: those that were not
    /// taken.
    ///
    /// # Errors
    /// [`IngestError`]; nothing of the request was taken, unless it is [`IngestError::Commit`] of a sync that failed.
    pub async fn ingest(&self, request: Bytes) -> Result<Rejected, IngestError> {
        let (rows, rejected) = otlp::traces(&request)?;
        if rows.is_empty() {
            return Ok(rejected);
        }
        if self.shared.lock().head.bytes() >= self.shared.options.head_most {
            return Err(IngestError::Overloaded);
        }
        let (reply, answer) = oneshot::channel();
        // What is decoded takes room while it waits, too.
        let weight = request.len() + rows.bytes();
        let append = Request::Append {
            request,
            rows: Box::new(rows),
            reply,
        };
        self.submitter
            .try_submit(append, weight)
            .map_err(|error| match error {
                SubmitError::Overloaded(_) => IngestError::Overloaded,
                SubmitError::Stopped(_) => IngestError::Stopped,
            })?;
        answer.await.unwrap_or(Err(IngestError::Stopped))?;
        Ok(rejected)
    }

    /// What it has and has met.
    pub fn stats(&self) -> Stats {
        let state = self.shared.lock();
        Stats {
            head_spans: state.head.spans(),
            head_bytes: state.head.bytes() as u64,
            blocks: state.blocks.len() as u64,
            block_spans: state
                .blocks
                .iter()
                .map(|held| u64::from(held.block.len()))
                .sum(),
            quarantined: state.quarantined,
            failed_cuts: state.failed_cuts,
        }
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        // Commits what waits.
        drop(self.committer.take());
        self.shared.lock().stopping = true;
        self.shared.changed.notify_all();
        if let Some(cutter) = self.cutter.take() {
            // A panic there was reported by its thread.
            let _ = cutter.join();
        }
    }
}
