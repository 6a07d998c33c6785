//! What readers hold of the view.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use guildhall_core::document::Index;
use guildhall_store::{Progress, Store};
use tokio::sync::watch;

use super::{Handover, State};
use crate::Error;

/// The published state, and how to wait for a later one.
pub(crate) struct View {
    state: Arc<ArcSwap<State>>,
    /// The index of the published state, for those who wait for one.
    index: watch::Sender<Index>,
    /// Asks the store's watch how far it is, for revisions that hold no document.
    progress: Mutex<Option<Progress>>,
    unreadable: AtomicUsize,
    handover: Handover,
}

impl View {
    pub(super) fn new(state: State) -> Self {
        let index = watch::Sender::new(state.index);
        Self {
            state: Arc::new(ArcSwap::from_pointee(state)),
            index,
            progress: Mutex::new(None),
            unreadable: AtomicUsize::new(0),
            handover: Handover::default(),
        }
    }

    /// The latest state.
    pub(crate) fn load(&self) -> Arc<State> {
        self.state.load_full()
    }

    /// Where the latest state is published.
    pub(crate) fn cell(&self) -> &Arc<ArcSwap<State>> {
        &self.state
    }

    /// Where writers leave what they have decoded.
    pub(crate) fn handover(&self) -> &Handover {
        &self.handover
    }

    /// Publishes a state, of which `unreadable` stored documents are missing.
    pub(super) fn publish(&self, state: State, unreadable: usize) {
        self.unreadable.store(unreadable, Ordering::Relaxed);
        self.state.store(Arc::new(state));
    }

    /// How many stored documents or statuses could not be read.
    pub(crate) fn unreadable(&self) -> usize {
        self.unreadable.load(Ordering::Relaxed)
    }

    /// Wakes those who wait for the published state.
    pub(super) fn announce(&self, index: Index) {
        self.index.send_replace(index);
    }

    pub(super) fn follow(&self, progress: Option<Progress>) {
        *self.progress.lock().unwrap_or_else(PoisonError::into_inner) = progress;
    }

    /// Waits until the state covers `index`, as long as the caller cares to wait.
    ///
    /// An index of a history that the store no longer has is not waited for.
    pub(crate) async fn wait_for(
        &self,
        store: &dyn Store,
        index: Index,
    ) -> Result<Arc<State>, Error> {
        let reached = |current: &Index| {
            current.covers(index)
                || (current.incarnation != index.incarnation
                    && store.index().incarnation != index.incarnation)
        };
        let state = self.load();
        if reached(&state.index) {
            return Ok(state);
        }
        let mut indexes = self.index.subscribe();
        let progress = self
            .progress
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        if let Some(progress) = progress {
            progress.request();
        }
        indexes
            .wait_for(reached)
            .await
            .map_err(|_| Error::Stopped)?;
        Ok(self.load())
    }
}
