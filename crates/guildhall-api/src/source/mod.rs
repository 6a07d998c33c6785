//! A source of snapshots over the watch, with a copy on disk.
//!
//! The gateway and the SDK read their documents through core's
//! [`SnapshotSource`]. [`RemoteSource`] is the one for those
//! that do not run in the control plane's process. It never fails: while the control plane is away
//! it keeps trying, and at a start without it the first update comes from the [`DiskCache`].
//!
//! A platform that lost its data answers correctly and has next to nothing to say. Such a state is
//! held back for a while ([`SourceOptions::hold`]), so that instances that still run are still used
//! while they register again.
//!
//! - `assemble`: pure: events of the watch to updates.
//! - `guard`: pure: whether a full state is too empty to be believed at once.
//! - `cache`: the copy on disk.
//! - `task`: the loop that does it all.

mod assemble;
mod cache;
mod guard;
mod options;
mod status;
mod task;

use std::{future::Future, pin::Pin};

use guildhall_core::source::{SnapshotSource, Update};
use tokio::{
    sync::{mpsc, watch},
    task::JoinHandle,
};

pub use cache::{CacheError, Cached, DiskCache, replace};
pub use options::SourceOptions;
pub use status::{Held, Origin, SourceStatus};

use crate::client::{Client, WatchScope};

/// How many updates wait for a reader that is busy, before the watch is no longer read.
const QUEUE: usize = 64;

/// Documents as a control node's watch tells them.
#[derive(Debug)]
pub struct RemoteSource {
    updates: mpsc::Receiver<Update>,
    status: watch::Receiver<SourceStatus>,
    task: JoinHandle<()>,
}

impl RemoteSource {
    /// Starts to watch `scope`. Must be called in a tokio runtime, where a task does the work
    /// until the source is dropped or stopped.
    pub fn start(client: Client, scope: WatchScope, options: SourceOptions) -> Self {
        let (sender, updates) = mpsc::channel(QUEUE);
        let (reporter, status) = watch::channel(SourceStatus::default());
        let task = tokio::spawn(task::run(client, scope, options, sender, reporter));
        Self {
            updates,
            status,
            task,
        }
    }

    /// How the source is, now and whenever it changes.
    pub fn status(&self) -> watch::Receiver<SourceStatus> {
        self.status.clone()
    }

    /// Stops watching and waits until the copy on disk is written.
    pub async fn stop(mut self) {
        self.updates.close();
        while self.updates.recv().await.is_some() {}
        // The task ends by itself once nobody listens; that it panicked was logged by then.
        let _ = self.task.await;
    }
}

impl SnapshotSource for RemoteSource {
    fn next(&mut self) -> Pin<Box<dyn Future<Output = Option<Update>> + Send + '_>> {
        Box::pin(self.updates.recv())
    }
}
