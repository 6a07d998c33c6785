//! The listeners as all parts of the process share them.

use std::sync::{Arc, Mutex, PoisonError};

use guildhall_core::document::DocumentKey;
use tokio::sync::Notify;

use super::listeners::Listeners;
use super::{ConfigOptions, Effective};
use crate::control::Shared;
use crate::{Error, clock};

/// The table, and who is woken when a listener failed.
#[derive(Debug)]
pub(crate) struct ListenerTable {
    listeners: Mutex<Listeners>,
    most: usize,
    failed: Notify,
}

/// A listener's place while it watches.
pub(super) struct Seat {
    shared: Arc<Shared>,
    file: DocumentKey,
    instance: Arc<str>,
}

impl ListenerTable {
    pub(crate) fn new(options: &ConfigOptions) -> Self {
        Self {
            listeners: Mutex::default(),
            most: options.listeners,
            failed: Notify::new(),
        }
    }

    /// Looks at the table, or changes it.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut Listeners) -> T) -> T {
        change(
            &mut self
                .listeners
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        )
    }

    /// Waits until a listener failed; one that did since the last time counts.
    pub(super) async fn failed(&self) {
        self.failed.notified().await;
    }

    /// How many listeners are known.
    pub(crate) fn count(&self) -> usize {
        self.change(|listeners| listeners.count())
    }

    /// Takes in what a listener says of the configuration named `tag`.
    pub(super) fn report(
        &self,
        file: &DocumentKey,
        instance: &Arc<str>,
        tag: &str,
        outcome: Result<(), &str>,
    ) -> Result<(), Error> {
        let now = clock::moment();
        let most = self.most;
        let known =
            self.change(|listeners| listeners.report((file, instance), tag, outcome, most, now));
        if !known {
            return Err(self.full());
        }
        if outcome.is_err() {
            self.failed.notify_one();
        }
        Ok(())
    }

    fn full(&self) -> Error {
        Error::TooManyReports {
            most: self.most,
            what: "listeners of configuration",
        }
    }
}

impl Seat {
    pub(super) fn take(
        shared: &Arc<Shared>,
        file: &DocumentKey,
        instance: &Arc<str>,
    ) -> Result<Self, Error> {
        let table = &shared.listeners;
        let most = table.most;
        if !table.change(|listeners| listeners.enter(file, instance, most)) {
            return Err(table.full());
        }
        Ok(Self {
            shared: Arc::clone(shared),
            file: file.clone(),
            instance: Arc::clone(instance),
        })
    }

    /// The listener has been told this.
    pub(super) fn sent(&self, told: &Effective) {
        let what = (&told.tag, &*told.inputs);
        let now = clock::wall();
        self.shared
            .listeners
            .change(|listeners| listeners.sent(&self.file, &self.instance, what, now));
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.shared
            .listeners
            .change(|listeners| listeners.leave(&self.file, &self.instance, clock::now()));
    }
}
