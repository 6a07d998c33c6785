//! The thread that writes zeroes, in synced chunks with pauses, so that commits meanwhile meet a disk that is half free.

use std::{
    io,
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{self, RecvTimeoutError},
    },
    thread,
    time::Duration,
};

use super::Spare;
use crate::{clock, files::Files};

/// Bytes between two syncs: small enough that a commit's sync never waits long behind one.
const CHUNK: u64 = 1 << 20;

/// A handle on the zeroing thread. Dropping it ends the thread at the next chunk and waits for that.
pub(super) struct Worker {
    /// Taken by the drop, which is what ends the thread.
    jobs: Option<mpsc::Sender<Spare>>,
    finished: Mutex<mpsc::Receiver<Option<Spare>>>,
    /// Hangs up when the worker is dropped: the thread's pauses wait on its other end.
    stop: Option<mpsc::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Worker {
    /// Starts the thread. Without one (the system refused) every job is handed back.
    pub(super) fn new(files: Arc<dyn Files>, size: u64) -> Self {
        let (jobs, incoming) = mpsc::channel::<Spare>();
        let (outgoing, finished) = mpsc::channel();
        let (stop, stopped) = mpsc::channel();
        let run = move || {
            while let Ok(spare) = incoming.recv() {
                let filled = fill(&spare, size, &stopped);
                if filled.is_err() {
                    let _ = files.remove(&spare.name);
                }
                if outgoing.send(filled.ok().map(|()| spare)).is_err() {
                    return;
                }
            }
        };
        let thread = thread::Builder::new()
            .name("log-zeroing".to_owned())
            .spawn(run)
            .ok();
        Self {
            jobs: Some(jobs),
            finished: Mutex::new(finished),
            stop: Some(stop),
            thread,
        }
    }

    /// Queues a file; it is given back when the thread is gone.
    pub(super) fn fill(&self, spare: Spare) -> Result<(), Spare> {
        match &self.jobs {
            Some(jobs) => jobs.send(spare).map_err(|mpsc::SendError(spare)| spare),
            None => Err(spare),
        }
    }

    /// The next finished file; `Some(None)` for one that failed.
    pub(super) fn finished(&self) -> Option<Option<Spare>> {
        self.finished
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .try_recv()
            .ok()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.jobs = None;
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Zeroes the file from its end to `size`, resting after each chunk for as long as it took.
fn fill(spare: &Spare, size: u64, stopped: &mpsc::Receiver<()>) -> io::Result<()> {
    let mut at = spare.file.length()?;
    while at < size {
        let began = clock::now();
        let to = (at + CHUNK).min(size);
        spare.file.write_zeroes(at, to)?;
        spare.file.sync_data()?;
        at = to;
        let rest = (clock::now() - began).min(Duration::from_millis(50));
        match stopped.recv_timeout(rest) {
            Err(RecvTimeoutError::Timeout) => {}
            Ok(()) | Err(RecvTimeoutError::Disconnected) => {
                return Err(io::ErrorKind::Interrupted.into());
            }
        }
    }
    Ok(())
}
