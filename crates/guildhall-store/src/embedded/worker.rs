//! The thread that reads and writes blobs, so that no caller's runtime waits for a disk.

use std::{io, sync::Arc, thread, time::Duration};

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

use super::{alarm::Alarm, blobs::Blobs, clock};
use crate::{BlobError, BlobHash, Unavailable};

/// Requests that may wait.
const QUEUE: usize = 64;

enum Job {
    Put(Bytes, oneshot::Sender<Result<BlobHash, BlobError>>),
    Get(BlobHash, oneshot::Sender<Result<Option<Bytes>, BlobError>>),
    Remove(Vec<BlobHash>),
}

/// A cloneable handle on the thread, which ends with the last of them.
#[derive(Clone)]
pub(crate) struct BlobWorker {
    jobs: mpsc::Sender<Job>,
}

impl BlobWorker {
    /// Starts the thread. Every put sets the alarm to when the blob may be collected.
    pub(crate) fn start(blobs: Arc<Blobs>, alarm: Arc<Alarm>, grace: Duration) -> io::Result<Self> {
        let (jobs, mut queue) = mpsc::channel(QUEUE);
        thread::Builder::new()
            .name("store-blobs".to_owned())
            .spawn(move || {
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
                    }
                }
            })?;
        Ok(Self { jobs })
    }

    pub(crate) async fn put(&self, bytes: Bytes) -> Result<BlobHash, BlobError> {
        let (reply, answer) = oneshot::channel();
        let stopped = || BlobError::from(Unavailable::Stopped);
        self.jobs
            .send(Job::Put(bytes, reply))
            .await
            .map_err(|_| stopped())?;
        answer.await.map_err(|_| stopped())?
    }

    pub(crate) async fn get(&self, hash: BlobHash) -> Result<Option<Bytes>, BlobError> {
        let (reply, answer) = oneshot::channel();
        let stopped = || BlobError::from(Unavailable::Stopped);
        self.jobs
            .send(Job::Get(hash, reply))
            .await
            .map_err(|_| stopped())?;
        answer.await.map_err(|_| stopped())?
    }

    /// Removes the files of forgotten blobs, after the puts that are waiting. What finds no room is left for the next
    /// start.
    pub(crate) fn remove(&self, forgotten: Vec<BlobHash>) {
        drop(self.jobs.try_send(Job::Remove(forgotten)));
    }
}
