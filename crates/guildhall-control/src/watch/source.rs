//! The control plane as a source of snapshots, for a gateway in the same process.

use std::future::{Future, poll_fn};
use std::pin::Pin;

use futures_util::FutureExt;
use guildhall_core::source::{Change, SnapshotSource, Update};

use super::{Event, EventKind, Subscription};

/// Everything, as [`Update`]s.
#[derive(Debug)]
pub struct Source {
    subscription: Subscription,
    /// Documents of a state that is being told, up to its bookmark.
    full: Option<Vec<guildhall_core::document::Document>>,
    /// Changes of revisions that have not been told to their end.
    delta: Vec<Change>,
}

impl Source {
    pub(crate) fn new(subscription: Subscription) -> Self {
        Self {
            subscription,
            full: Some(Vec::new()),
            delta: Vec::new(),
        }
    }

    /// Takes an event in; an update if it completes one.
    fn take(&mut self, event: &Event) -> Option<Update> {
        let document = event.document().cloned();
        match (event.kind(), document) {
            (EventKind::Resync, _) => {
                self.full = Some(Vec::new());
                self.delta.clear();
                return None;
            }
            (EventKind::Bookmark, _) => {
                let documents = self.full.take()?;
                return Some(Update::Full {
                    index: event.index(),
                    documents,
                });
            }
            (EventKind::Added, Some(document)) if self.full.is_some() => {
                self.full.get_or_insert_default().push(document);
                return None;
            }
            (EventKind::Deleted, Some(document)) => {
                self.delta.push(Change::Deleted(document.key()))
            }
            (_, Some(document)) => self.delta.push(Change::Put(document)),
            (_, None) => return None,
        }
        let index = event.index()?;
        Some(Update::Delta {
            index,
            changes: std::mem::take(&mut self.delta),
        })
    }

    async fn update(&mut self) -> Option<Update> {
        loop {
            let event = self.subscription.next().await?;
            let Some(update) = self.take(&event) else {
                continue;
            };
            return Some(match update {
                Update::Delta { index, changes } => self.more(index, changes),
                full => full,
            });
        }
    }

    /// Adds the revisions that are ready: whoever is behind catches up in one step.
    fn more(
        &mut self,
        mut index: guildhall_core::document::Index,
        mut changes: Vec<Change>,
    ) -> Update {
        while let Some(Some(event)) =
            poll_fn(|context| self.subscription.poll_next(context)).now_or_never()
        {
            match self.take(&event) {
                Some(Update::Delta {
                    index: later,
                    changes: mut more,
                }) => {
                    index = later;
                    changes.append(&mut more);
                }
                // A state begins: what was gathered so far still stands before it.
                _ if self.full.is_some() => break,
                _ => {}
            }
        }
        Update::Delta { index, changes }
    }
}

impl SnapshotSource for Source {
    fn next(&mut self) -> Pin<Box<dyn Future<Output = Option<Update>> + Send + '_>> {
        Box::pin(self.update())
    }
}
