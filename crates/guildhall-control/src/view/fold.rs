//! Folds revisions into a state and says what each did to which document.

use std::collections::HashMap;
use std::sync::Arc;

use guildhall_core::document::{Document, DocumentKey, KeyPart};
use guildhall_core::source::Change;
use guildhall_store::{Entry, Event, WatchBatch};

use super::status;
use super::touches::StatusMark;
use super::{Handover, State};
use crate::watch::DocumentChange;

/// How many statuses without a document are kept until the document comes.
const ORPHANS: usize = 4_096;

/// A state on its way from one revision to a later one.
pub(super) struct Folder {
    pub(super) state: State,
    /// Statuses whose document is not there (yet).
    orphans: HashMap<DocumentKey, Arc<Entry>>,
    /// Entries that could not be read back.
    pub(super) unreadable: usize,
}

/// The documents that one revision has touched, in the order of the transaction.
#[derive(Default)]
struct Touched(Vec<Edit>);

/// One document, before the revision and after it.
struct Edit {
    key: DocumentKey,
    before: Option<Document>,
    after: Option<Document>,
}

impl Touched {
    fn note(&mut self, key: &DocumentKey, before: Option<Document>, after: Option<Document>) {
        // A revision has at most 128 events, nearly always one or two: no map pays off.
        match self.0.iter_mut().find(|edit| edit.key == *key) {
            Some(edit) => edit.after = after,
            None => self.0.push(Edit {
                key: key.clone(),
                before,
                after,
            }),
        }
    }
}

impl Folder {
    pub(super) fn new(state: State, unreadable: usize) -> Self {
        Self {
            state,
            orphans: HashMap::new(),
            unreadable,
        }
    }

    /// Folds in one revision. What comes out is in the order of the transaction.
    pub(super) fn fold(
        &mut self,
        batch: &WatchBatch,
        handover: &Handover,
        out: &mut Vec<Arc<DocumentChange>>,
    ) {
        let mut touched = Touched::default();
        let revision = batch.revision;
        // Specs first: a status that comes in the same transaction finds its document.
        for part in [KeyPart::Spec, KeyPart::Status] {
            for event in batch.events.iter() {
                match DocumentKey::from_store_key(event.key()) {
                    Some((of, key)) if of == part => {
                        self.fold_event(part, &key, event, handover, revision, &mut touched)
                    }
                    Some(_) => {}
                    None if part == KeyPart::Spec => {
                        self.unreadable += 1;
                        let key = event.key().escape_ascii();
                        tracing::error!(%key, "a key under the documents names none; it is not shown");
                    }
                    None => {}
                }
            }
        }
        let first = out.len();
        for Edit { key, before, after } in touched.0 {
            if before.is_none() && after.is_none() {
                continue;
            }
            self.state.touches.touch(&key, revision);
            let change = match &after {
                Some(document) => Change::Put(document.clone()),
                None => Change::Deleted(key.clone()),
            };
            self.state.catalog.apply(&change, revision);
            out.push(Arc::new(DocumentChange::new(revision, key, before, after)));
        }
        for at in first..out.len() {
            let change = Arc::clone(&out[at]);
            self.follow_service(&change, out);
        }
        self.state.index.revision = revision;
        self.follow_policies(first, out);
    }

    /// Notes that the revisions up to `revision` hold no documents.
    pub(super) fn pass(&mut self, revision: u64) {
        let index = &mut self.state.index;
        index.revision = index.revision.max(revision);
    }

    fn fold_event(
        &mut self,
        part: KeyPart,
        key: &DocumentKey,
        event: &Event,
        handover: &Handover,
        revision: u64,
        touched: &mut Touched,
    ) {
        let result = match (part, event) {
            (KeyPart::Spec, Event::Put(entry)) => self.put_spec(key, entry, handover, touched),
            (KeyPart::Spec, Event::Delete { .. }) => {
                touched.note(key, self.state.documents.remove(key), None);
                self.state.touches.forget(key);
                Ok(())
            }
            (KeyPart::Status, Event::Put(entry)) => self.put_status(key, entry, touched),
            (KeyPart::Status, Event::Delete { .. }) => {
                self.orphans.remove(key);
                self.change(key, touched, |state, document| {
                    state.touches.mark(
                        key,
                        StatusMark {
                            revision,
                            stored: false,
                        },
                    );
                    status::follow(document, status::default_checks(&state.catalog, key))
                })
            }
        };
        if let Err(error) = result {
            self.unreadable += 1;
            tracing::error!(%key, revision, %error, "a stored document cannot be read; it stays as it was");
        }
    }

    fn put_spec(
        &mut self,
        key: &DocumentKey,
        entry: &Entry,
        handover: &Handover,
        touched: &mut Touched,
    ) -> Result<(), serde_json::Error> {
        let mut document = match handover.take(entry) {
            Some(document) => document,
            None => Document::from_stored(key.kind, entry.modified, &entry.value)?,
        };
        // Few documents have a stored status: what has none is looked up once, when it is put.
        let stored = self.state.stored_status(key);
        match stored.and_then(|_| self.state.documents.get(key)) {
            Some(known) => {
                document.copy_status(known);
                status::fit(
                    &mut document,
                    status::default_checks(&self.state.catalog, key),
                );
            }
            None => match self.orphans.remove(key) {
                Some(orphan) => {
                    let checks = status::default_checks(&self.state.catalog, key);
                    status::stored(&mut document, &orphan, checks)?;
                    self.state.touches.mark(
                        key,
                        StatusMark {
                            revision: orphan.modified,
                            stored: true,
                        },
                    );
                }
                None => status::follow(
                    &mut document,
                    status::default_checks(&self.state.catalog, key),
                )?,
            },
        }
        let before = self.state.documents.insert(key.clone(), document.clone());
        touched.note(key, before, Some(document));
        Ok(())
    }

    fn put_status(
        &mut self,
        key: &DocumentKey,
        entry: &Arc<Entry>,
        touched: &mut Touched,
    ) -> Result<(), serde_json::Error> {
        if !self.state.documents.contains_key(key) {
            if self.orphans.len() < ORPHANS {
                self.orphans.insert(key.clone(), Arc::clone(entry));
            }
            return Ok(());
        }
        self.change(key, touched, |state, document| {
            status::stored(document, entry, status::default_checks(&state.catalog, key))?;
            state.touches.mark(
                key,
                StatusMark {
                    revision: entry.modified,
                    stored: true,
                },
            );
            Ok(())
        })
    }

    /// Changes a document that is there; one that is not is left alone.
    fn change(
        &mut self,
        key: &DocumentKey,
        touched: &mut Touched,
        change: impl FnOnce(&mut State, &mut Document) -> Result<(), serde_json::Error>,
    ) -> Result<(), serde_json::Error> {
        let Some(known) = self.state.documents.get(key).cloned() else {
            return Ok(());
        };
        let mut document = known.clone();
        change(&mut self.state, &mut document)?;
        self.state.documents.insert(key.clone(), document.clone());
        touched.note(key, Some(known), Some(document));
        Ok(())
    }

    /// When a service's default checks changed, so did the status of each of its instances that
    /// has no checks of its own.
    fn follow_service(&mut self, change: &DocumentChange, out: &mut Vec<Arc<DocumentChange>>) {
        let checks = |side: &Option<Document>| match side {
            Some(Document::Service(object)) => object.spec.checks.clone(),
            _ => Vec::new(),
        };
        let is_service = matches!(
            change.before.as_ref().or(change.after.as_ref()),
            Some(Document::Service(_))
        );
        if !is_service || checks(&change.before) == checks(&change.after) {
            return;
        }
        let now = checks(&change.after);
        let Some(entry) = self
            .state
            .catalog
            .service(&change.key.namespace, &change.key.name)
        else {
            return;
        };
        let own = entry
            .instances
            .values()
            .filter(|instance| instance.spec.checks.is_empty());
        let followers: Vec<Document> = own
            .map(|instance| Document::Instance(Arc::clone(instance)))
            .collect();
        for before in followers {
            let key = before.key();
            let mut after = before.clone();
            let stored = self.state.stored_status(&key).is_some();
            if stored {
                status::fit(&mut after, &now);
            } else if status::follow(&mut after, &now).is_err() {
                continue;
            }
            if after == before {
                continue;
            }
            let revision = change.revision;
            self.state.touches.touch(&key, revision);
            if !stored {
                self.state
                    .touches
                    .mark(&key, StatusMark { revision, stored });
            }
            self.state
                .catalog
                .apply(&Change::Put(after.clone()), revision);
            self.state.documents.insert(key.clone(), after.clone());
            out.push(Arc::new(DocumentChange::new(
                revision,
                key,
                Some(before),
                Some(after),
            )));
        }
    }
}
