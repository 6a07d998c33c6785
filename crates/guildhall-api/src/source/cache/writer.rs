//! Writes the copy in the background, not too often.

use std::time::Duration;

use guildhall_core::document::Index;
use tokio::{sync::watch, task::JoinHandle};

use super::DiskCache;
use crate::source::guard::Documents;

/// How fast copies are written at most, in bytes a second: a copy of a whole large fleet is not
/// written every second.
const BYTES_PER_SECOND: f64 = 8e6;

type Latest = Option<(Index, Documents)>;

/// The task that writes; what is given while it waits replaces what was given before.
#[derive(Debug)]
pub(crate) struct Writer {
    latest: watch::Sender<Latest>,
    task: JoinHandle<()>,
}

impl Writer {
    pub(crate) fn start(cache: DiskCache, interval: Duration) -> Self {
        let (latest, receiver) = watch::channel(None);
        Self {
            latest,
            task: tokio::spawn(run(cache, interval, receiver)),
        }
    }

    /// Gives the state to be written next.
    pub(crate) fn put(&self, index: Index, documents: Documents) {
        self.latest.send_replace(Some((index, documents)));
    }

    /// Writes what was given last and ends.
    pub(crate) async fn finish(self) {
        drop(self.latest);
        // A panic in it was logged; there is nothing left to write then.
        let _ = self.task.await;
    }
}

async fn run(cache: DiskCache, interval: Duration, mut latest: watch::Receiver<Latest>) {
    let mut written = None;
    let mut open = true;
    loop {
        let state = latest.borrow_and_update().clone();
        let Some((index, documents)) = state.filter(|(index, _)| Some(*index) != written) else {
            if !open {
                return;
            }
            open = latest.changed().await.is_ok();
            continue;
        };
        let to = cache.clone();
        let pause =
            match tokio::task::spawn_blocking(move || to.store(index, documents.iter())).await {
                Ok(Ok(bytes)) => {
                    written = Some(index);
                    interval.max(Duration::from_secs_f64(bytes as f64 / BYTES_PER_SECOND))
                }
                Ok(Err(error)) => {
                    tracing::warn!(%error, "the copy on disk was not written");
                    if !open {
                        return;
                    }
                    interval.max(Duration::from_secs(10))
                }
                Err(_) => return,
            };
        // What is given during the pause is written after it, or at once if nothing more comes.
        let closed = async { while latest.changed().await.is_ok() {} };
        if open && tokio::time::timeout(pause, closed).await.is_ok() {
            open = false;
        }
    }
}
