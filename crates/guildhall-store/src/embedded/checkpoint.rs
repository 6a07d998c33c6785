//! Writes the state to a checkpoint file, away from the commit path and at a pace that leaves it the disk.

use std::{
    io::{self, Write},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
    time::Duration,
};

use guildhall_log::{Sequence, checkpoint, files::Files};

use super::{
    clock,
    dump::{Checksum, Encoder},
    shared::Shared,
    tables::Tables,
};

/// The name of the checkpoints in the log's directory.
pub(crate) const NAME: &str = "store";
/// Bytes between two pauses.
const CHUNK: usize = 512 << 10;
/// The longest pause.
const PAUSE: Duration = Duration::from_millis(20);

/// A state to be written down.
pub(crate) struct Job {
    pub(crate) tables: Tables,
    /// The last record that is in it.
    pub(crate) sequence: Sequence,
}

/// What became of a job.
pub(crate) enum Finished {
    Written { sequence: Sequence, bytes: u64 },
    Failed,
}

/// Writes a checkpoint, calling `pause` now and then, and says how long it is. `pause` says false to give up.
pub(crate) fn write(
    job: &Job,
    files: Arc<dyn Files>,
    mut pause: impl FnMut() -> bool,
) -> io::Result<u64> {
    let mut writer = checkpoint::Writer::create(files, NAME, job.sequence)?;
    let mut chunk = Vec::with_capacity(CHUNK + CHUNK / 4);
    let mut flush = |chunk: &mut Vec<u8>, least: usize| {
        if chunk.len() >= least {
            writer.write_all(chunk)?;
            chunk.clear();
            if !pause() {
                return Err(io::Error::new(
                    io::ErrorKind::Interrupted,
                    "the store is shutting down",
                ));
            }
        }
        Ok(())
    };
    let mut encoder = Encoder::begin(&job.tables, Checksum::Carrier, &mut chunk);
    for (lease, state) in &job.tables.leases {
        encoder.lease(*lease, state, &mut chunk);
        flush(&mut chunk, CHUNK)?;
    }
    for entry in job.tables.entries.iter() {
        encoder.entry(entry, &mut chunk);
        flush(&mut chunk, CHUNK)?;
    }
    encoder.end(&mut chunk);
    flush(&mut chunk, 0)?;
    writer.finish()
}

/// The thread that writes the current checkpoint, if there is one. Dropping it gives up on that checkpoint.
#[derive(Default)]
pub(crate) struct Background {
    stop: Arc<AtomicBool>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Background {
    /// Writes a checkpoint on a thread of its own; `shared` is told the outcome.
    pub(crate) fn start(&mut self, job: Job, files: Arc<dyn Files>, shared: Arc<Shared>) {
        let stop = Arc::clone(&self.stop);
        let told = Arc::clone(&shared);
        let thread = thread::Builder::new().name("store-checkpoint".to_owned()).spawn(move || {
            let mut began = clock::now();
            let written = write(&job, files, || {
                // As long a pause as the work took: at most half of this thread's share.
                thread::sleep(began.elapsed().min(PAUSE));
                began = clock::now();
                !stop.load(Relaxed)
            });
            let finished = match written {
                Ok(bytes) => Finished::Written { sequence: job.sequence, bytes },
                Err(error) => {
                    tracing::warn!(%error, "a checkpoint was not written; it will be tried again");
                    Finished::Failed
                }
            };
            shared.set_finished(finished, clock::now());
        });
        match thread {
            // The thread before has finished, as there is one checkpoint at a time.
            Ok(thread) => self.thread = Some(thread),
            Err(error) => {
                tracing::warn!(%error, "a checkpoint was not written; it will be tried again");
                told.set_finished(Finished::Failed, clock::now());
            }
        }
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.stop.store(true, Relaxed);
        if let Some(thread) = self.thread.take() {
            // A panic there was reported by the thread itself, and a missing checkpoint loses nothing.
            drop(thread.join());
        }
    }
}
