//! The thread that reads and writes blobs, so that no caller's runtime waits for a disk.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

use bytes::Bytes;
use tokio::sync::{Semaphore, mpsc, oneshot};

use super::{alarm::Alarm, blobs::Blobs, clock, request::stopped};
use crate::{BlobError, BlobHash};

/// Requests that may wait.
const QUEUE: usize = 64;

enum Job {
    Put(Bytes, oneshot::Sender<Result<BlobHash, BlobError>>),
    Get(BlobHash, oneshot::Sender<Result<Option<Bytes>, BlobError>>),
    Remove(Vec<BlobHash>),
    Stop,
}

/// A cloneable handle on the thread.
#[derive(Clone)]
pub(crate) struct BlobWorker {
    jobs: mpsc::UnboundedSender<Job>,
    /// Bounds the requests that wait; the store's own ones need no room.
    room: Arc<Semaphore>,
    thread: Arc<Mutex<Option<thread::JoinHandle<()>>>>,
}

impl BlobWorker {
    /// Starts the thread. Every put sets the alarm to when the blob may be collected.
    pub(crate) fn start(blobs: Arc<Blobs>, alarm: Arc<Alarm>, grace: Duration) -> io::Result<Self> {
        let (jobs, mut queue) = mpsc::unbounded_channel();
        let work = move || {
            while let Some(job) = queue.blocking_recv() {
                // A caller that went away takes no answer.
                match job {
                    Job::Put(bytes, reply) => {
                        let now = clock::now();
                        drop(reply.send(blobs.put(&bytes, now)));
                        alarm.no_later_than(now + grace);
                    }
                    Job::Get(hash, reply) => drop(reply.send(blobs.get(hash))),
                    Job::Remove(hashes) => blobs.remove(&hashes),
                    Job::Stop => return,
                }
            }
        };
        let thread = thread::Builder::new()
            .name("store-blobs".to_owned())
            .spawn(work)?;
        Ok(Self {
            jobs,
            room: Arc::new(Semaphore::new(QUEUE)),
            thread: Arc::new(Mutex::new(Some(thread))),
        })
    }

    pub(crate) async fn put(&self, bytes: Bytes) -> Result<BlobHash, BlobError> {
        self.ask(|reply| Job::Put(bytes, reply)).await
    }

    pub(crate) async fn get(&self, hash: BlobHash) -> Result<Option<Bytes>, BlobError> {
        self.ask(|reply| Job::Get(hash, reply)).await
    }

    async fn ask<T>(
        &self,
        job: impl FnOnce(oneshot::Sender<Result<T, BlobError>>) -> Job,
    ) -> Result<T, BlobError> {
        let (reply, answer) = oneshot::channel();
        let _room = self
            .room
            .acquire()
            .await
            .map_err(|_| stopped::<BlobError>())?;
        self.jobs
            .send(job(reply))
            .map_err(|_| stopped::<BlobError>())?;
        answer.await.map_err(|_| stopped::<BlobError>())?
    }

    /// Removes the files of forgotten blobs, after the puts that are waiting.
    pub(crate) fn remove(&self, forgotten: Vec<BlobHash>) {
        // A thread that has stopped leaves them for the next start.
        drop(self.jobs.send(Job::Remove(forgotten)));
    }

    /// Ends the thread after what waits, and with it the hold on the directory.
    pub(crate) fn stop(&self) {
        drop(self.jobs.send(Job::Stop));
        let thread = self
            .thread
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(thread) = thread {
            // A panic there was reported by the thread itself.
            drop(thread.join());
        }
    }
}
