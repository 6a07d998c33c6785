//! What is known of one service, as it changes.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use guildhall_api::source::RemoteSource;
use guildhall_core::{
    document::Namespace,
    registry::Catalog,
    source::{SnapshotSource, Update},
};
use tokio::sync::watch;

use super::{Callee, Feed, Fleet};
use crate::clock;

/// What is known of a service.
#[derive(Clone, Debug)]
pub(crate) enum Known {
    /// The service that asks has not started yet.
    NotStarted,
    /// There is no platform to ask.
    Off,
    /// The platform has not answered yet, and there is no copy on disk.
    Waiting,
    /// Whom to call.
    Fleet(Fleet),
}

/// One service that is called.
#[derive(Debug)]
pub(crate) struct Directory {
    callee: Callee,
    known: watch::Sender<Known>,
}

impl Directory {
    pub(super) fn new(callee: Callee) -> Self {
        Self {
            callee,
            known: watch::Sender::new(Known::NotStarted),
        }
    }

    /// The service that is meant.
    pub(crate) fn callee(&self) -> &Callee {
        &self.callee
    }

    /// The service's name, with its namespace if that is not the caller's.
    pub(crate) fn service(&self) -> &str {
        self.callee.as_str()
    }

    pub(super) fn tell(&self, known: Known) {
        self.known.send_replace(known);
    }

    /// What is known; waits for at most `patience` while the platform has not answered.
    pub(crate) async fn known(&self, patience: Duration) -> Known {
        let mut receiver = self.known.subscribe();
        let answered = receiver.wait_for(|known| !matches!(known, Known::Waiting));
        match tokio::time::timeout(patience, answered).await {
            Ok(Ok(known)) => known.clone(),
            // The sender lives as long as this directory.
            Ok(Err(_)) | Err(_) => Known::Waiting,
        }
    }

    /// What is known at this moment.
    pub(crate) fn present(&self) -> Known {
        self.known.borrow().clone()
    }

    /// Follows the source until told to stop.
    pub(super) async fn follow(
        self: Arc<Self>,
        mut source: RemoteSource,
        feed: Feed,
        mut stop: watch::Receiver<bool>,
    ) {
        let mut fold = Fold::default();
        let mut fleet = Fleet::default();
        loop {
            tokio::select! {
                update = source.next() => {
                    let Some(update) = update else { break };
                    fold.apply(update);
                    let zone = feed.zone.as_deref();
                    fleet = fold.fleet(&feed.namespace, &self.callee, zone, &fleet, clock::now());
                    self.tell(Known::Fleet(fleet.clone()));
                }
                () = async { drop(stop.wait_for(|stop| *stop).await) } => break,
            }
        }
        source.stop().await;
    }
}

/// Updates folded into a catalog. Pure.
#[derive(Default)]
struct Fold {
    catalog: Catalog,
    /// False of a copy from disk: health was known then, not now.
    health_known: bool,
}

impl Fold {
    fn apply(&mut self, update: Update) {
        match update {
            Update::Full { index, documents } => {
                self.health_known = index.is_some();
                self.catalog = Catalog::load(&documents, index.map_or(1, |index| index.revision));
            }
            Update::Delta { index, changes } => {
                for change in &changes {
                    self.catalog.apply(change, index.revision);
                }
            }
        }
    }

    fn fleet(
        &self,
        own: &Namespace,
        callee: &Callee,
        zone: Option<&str>,
        before: &Fleet,
        now: Instant,
    ) -> Fleet {
        let service = callee.service().ok();
        let entry = service.and_then(|service| {
            let namespace = callee.namespace(own);
            self.catalog.service(namespace, service.as_str())
        });
        Fleet::of(entry.map(Arc::as_ref), self.health_known, zone, before, now)
    }
}
