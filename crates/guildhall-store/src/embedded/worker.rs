//! The threads of the blobs: one commits, so that all who put at the same time share a sync; one reads and cleans, so that
//! no caller's runtime waits for a disk.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
    thread,
};

use bytes::Bytes;
use guildhall_log::{CommitError, Committer, CommitterOptions, Log, Machine, Submitter};
use tokio::sync::{
    Semaphore,
    mpsc::{self, error::TryRecvError},
    oneshot,
};

use super::{
    alarm::Alarm,
    blobs::{Blobs, Cleaner, Request, Writer},
    clock,
    request::stopped,
};
use crate::{Blob, BlobError, BlobHash};

/// Gets that may wait.
const QUEUE: usize = 64;

enum Job {
    Get(BlobHash, oneshot::Sender<Result<Option<Bytes>, BlobError>>),
    /// Blobs were forgotten.
    Clean,
    Stop,
}

/// A cloneable handle on the threads. It holds channels only: whoever has one left over (a snapshot, say) does not keep a
/// closed store's directory.
#[derive(Clone)]
pub(crate) struct BlobWorker {
    puts: Submitter<Request>,
    jobs: mpsc::UnboundedSender<Job>,
    /// Bounds the gets that wait; the store's own jobs need no room.
    room: Arc<Semaphore>,
    threads: Arc<Mutex<Option<Threads>>>,
}

struct Threads {
    reader: thread::JoinHandle<()>,
    committer: Committer<BlobMachine>,
}

/// The writer with a clock.
struct BlobMachine(Writer);

impl Machine for BlobMachine {
    type Request = Request;

    fn stage(&mut self, request: Request, log: &mut Log) {
        self.0.stage(request, clock::now(), log);
    }

    fn committed(&mut self, log: &mut Log) {
        self.0.committed(clock::now(), log);
    }

    fn failed(&mut self, error: &CommitError, _log: &mut Log) {
        self.0.failed(error);
    }
}

impl BlobWorker {
    /// Starts the threads. Every put sets the alarm to when the blob may be collected.
    pub(crate) fn start(
        blobs: Arc<Blobs>,
        log: Log,
        alarm: Arc<Alarm>,
        options: &CommitterOptions,
    ) -> io::Result<Self> {
        let machine = BlobMachine(Writer::new(Arc::clone(&blobs), alarm));
        let options = CommitterOptions {
            name: format!("{}-blobs", options.name),
            ..options.clone()
        };
        let committer = Committer::start(log, machine, options)?;
        let puts = committer.submitter();
        let (jobs, queue) = mpsc::unbounded_channel();
        let cleaned = committer.submitter();
        let reader = thread::Builder::new()
            .name("store-reads".to_owned())
            .spawn(move || read(queue, &blobs, &cleaned))?;
        Ok(Self {
            puts,
            jobs,
            room: Arc::new(Semaphore::new(QUEUE)),
            threads: Arc::new(Mutex::new(Some(Threads { reader, committer }))),
        })
    }

    /// Keeps a blob.
    pub(crate) async fn put(&self, blob: Blob) -> Result<(), BlobError> {
        let (reply, answer) = oneshot::channel();
        let request = Request::Put(vec![blob], reply);
        let weight = request.weight();
        self.puts
            .submit(request, weight)
            .await
            .map_err(|_| stopped::<BlobError>())?;
        answer.await.map_err(|_| stopped::<BlobError>())?
    }

    /// Keeps blobs, for a plain thread.
    pub(crate) fn keep(&self, blobs: Vec<Blob>) -> Result<(), BlobError> {
        let (reply, answer) = oneshot::channel();
        let request = Request::Put(blobs, reply);
        let weight = request.weight();
        self.puts
            .submit_blocking(request, weight)
            .map_err(|_| stopped::<BlobError>())?;
        answer.blocking_recv().map_err(|_| stopped::<BlobError>())?
    }

    pub(crate) async fn get(&self, hash: BlobHash) -> Result<Option<Bytes>, BlobError> {
        let (reply, answer) = oneshot::channel();
        let _room = self
            .room
            .acquire()
            .await
            .map_err(|_| stopped::<BlobError>())?;
        self.jobs
            .send(Job::Get(hash, reply))
            .map_err(|_| stopped::<BlobError>())?;
        answer.await.map_err(|_| stopped::<BlobError>())?
    }

    /// Gives the room of forgotten blobs back, beside the puts and gets.
    pub(crate) fn clean(&self) {
        // A thread that has stopped leaves it for the next start.
        drop(self.jobs.send(Job::Clean));
    }

    /// Ends the threads after what waits, and with them the hold on the directory.
    pub(crate) fn stop(&self) {
        drop(self.jobs.send(Job::Stop));
        let threads = self
            .threads
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(Threads { reader, committer }) = threads {
            // The reader may wait for the committer. A panic there was reported by the thread itself.
            drop(reader.join());
            drop(committer);
        }
    }
}

/// The reading thread: between two steps of cleaning, whoever waits is served.
fn read(mut queue: mpsc::UnboundedReceiver<Job>, blobs: &Blobs, writer: &Submitter<Request>) {
    let mut cleaner = Cleaner::default();
    // What the last run left.
    let mut cleaning = true;
    loop {
        let job = if cleaning {
            match queue.try_recv() {
                Ok(job) => Some(job),
                Err(TryRecvError::Empty) => None,
                Err(TryRecvError::Disconnected) => return,
            }
        } else {
            let Some(job) = queue.blocking_recv() else {
                return;
            };
            Some(job)
        };
        match job {
            // A caller that went away takes no answer.
            Some(Job::Get(hash, reply)) => drop(reply.send(blobs.get(hash))),
            Some(Job::Clean) => cleaning = true,
            Some(Job::Stop) => return,
            None => {}
        }
        if cleaning {
            cleaning = clean(&mut cleaner, blobs, writer);
        }
    }
}

/// One step of cleaning; false when nothing (more) can be done now.
fn clean(cleaner: &mut Cleaner, blobs: &Blobs, writer: &Submitter<Request>) -> bool {
    let work = match cleaner.next(blobs) {
        Ok(None) => return false,
        Ok(Some(work)) => work,
        Err(error) => {
            tracing::warn!(error, "blobs could not be read to be moved");
            *cleaner = Cleaner::default();
            return false;
        }
    };
    let (reply, done) = oneshot::channel();
    let request = Request::Clean(work, reply);
    let weight = request.weight();
    let done = writer.submit_blocking(request, weight).is_ok() && done.blocking_recv().is_ok();
    if !done {
        // A full disk, say. The next sweep tries again.
        *cleaner = Cleaner::default();
    }
    done
}
