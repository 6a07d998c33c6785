//! Compare and set: one transaction for all documents that belong together.

use bytes::Bytes;
use guildhall_core::access::{Caller, Verb, authorize};
use guildhall_core::document::{Document, DocumentKey, Index, KeyPart, Timestamp};
use guildhall_store::{CommitError, Compare, Op, Transaction};

use super::{Precondition, validate::validate};
use crate::audit::{Action, Outcome};
use crate::config::approved;
use crate::control::Shared;
use crate::history::{Note, Past, past};
use crate::{Error, clock, view};

/// A write that was done, or would have been.
#[derive(Clone, Debug)]
pub struct Written {
    /// The document as it is now, with the status it had or, if new, begins with.
    pub document: Document,
    /// The index that holds it.
    pub index: Index,
    /// Whether it was not there before.
    pub created: bool,
    /// Whether anything was changed: writing what already is takes no revision.
    pub changed: bool,
    /// The draft that was made of it instead; then the index is the draft's.
    pub draft: Option<u32>,
}

/// A document to be written.
#[derive(Clone, Debug)]
pub(crate) struct Put {
    pub(crate) document: Document,
    pub(crate) condition: Condition,
    /// What its history says of it, where one is kept.
    pub(crate) note: Note,
}

/// When a document is written.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Condition {
    /// When the precondition holds.
    When(Precondition),
    /// When it is not there; if it is, it stays as it is, whatever it says.
    IfMissing,
}

/// What is known of a document that is about to be written.
struct Known {
    key: DocumentKey,
    store_key: Bytes,
    current: Option<Document>,
    /// Whether `current` is as readers see it, with its status.
    is_shown: bool,
}

impl Known {
    fn revision(&self) -> Option<u64> {
        self.current
            .as_ref()
            .map(|document| document.metadata().revision)
    }
}

/// Authorizes, validates and writes `puts` in one transaction together with `beside`, and answers
/// in their order. Nothing is written unless all are; what stands beside them only with a change.
pub(crate) async fn put(
    shared: &Shared,
    caller: &Caller,
    puts: Vec<Put>,
    beside: &Transaction,
    dry_run: bool,
) -> Result<Vec<Written>, Error> {
    let keys: Vec<DocumentKey> = puts.iter().map(|put| put.document.key()).collect();
    // What was only made sure to be there is not what the caller asked for.
    let asked: Vec<Option<Action>> = puts
        .iter()
        .map(|put| match (put.condition, put.note.to) {
            (Condition::IfMissing, _) => None,
            (Condition::When(_), Some(_)) => Some(Action::Rollback),
            (Condition::When(_), None) => Some(Action::Put),
        })
        .collect();
    let result = attempt(shared, caller, puts, &keys, beside, dry_run).await;
    if dry_run {
        return result;
    }
    let at = clock::wall();
    match &result {
        Ok(written) => {
            for ((key, written), asked) in keys.iter().zip(written).zip(asked) {
                if asked.is_none() && !written.changed {
                    continue;
                }
                let revision = written.index.revision;
                let outcome = match (written.changed, written.created) {
                    (false, _) => Outcome::Unchanged,
                    (true, true) => Outcome::Created { revision },
                    (true, false) => Outcome::Updated { revision },
                };
                let action = asked.unwrap_or(Action::Put);
                shared.audit.write(caller, action, key, outcome, at);
            }
        }
        Err(error) => {
            for (key, asked) in keys.iter().zip(asked) {
                if let Some(action) = asked {
                    shared.audit.write(caller, action, key, refusal(error), at);
                }
            }
        }
    }
    result
}

/// How an audit record words an error.
pub(crate) fn refusal(error: &Error) -> Outcome {
    match error {
        Error::Denied(_) => Outcome::Denied,
        error => Outcome::Failed {
            error: error.to_string(),
        },
    }
}

async fn attempt(
    shared: &Shared,
    caller: &Caller,
    mut puts: Vec<Put>,
    keys: &[DocumentKey],
    beside: &Transaction,
    dry_run: bool,
) -> Result<Vec<Written>, Error> {
    for (put, key) in puts.iter().zip(keys) {
        authorize(
            caller,
            Verb::Write,
            Some(key.kind),
            Some(&key.namespace),
            Some(&key.name),
        )?;
        validate(caller, &put.document)?;
    }
    // The first try goes by the view, which costs nothing; what it does not know yet, the compare
    // finds out, and the store is read.
    let state = shared.view.load();
    let mut known: Vec<Known> = keys
        .iter()
        .map(|key| Known {
            key: key.clone(),
            store_key: key.store_key(KeyPart::Spec).into(),
            current: state.get(key).cloned(),
            is_shown: true,
        })
        .collect();
    drop(state);
    if dry_run {
        for known in &mut known {
            refresh(shared, known).await?;
        }
    }
    for _ in 0..shared.options.documents.attempts {
        let now = clock::wall();
        let mut transaction = Transaction::new();
        // What each write stores; nothing where it changes nothing.
        let mut stored = Vec::with_capacity(puts.len());
        // Compared after the documents, whose compares stand in their order.
        let mut heads = Vec::new();
        for (put, known) in puts.iter_mut().zip(&mut known) {
            if admit(caller, put, known).is_err() {
                // The view may lag behind what the writer has already seen: only the store decides.
                refresh(shared, known).await?;
                admit(caller, put, known)?;
            }
            let store_key = known.store_key.clone();
            transaction = transaction.when(match (put.condition, known.revision()) {
                (Condition::IfMissing, Some(_)) => Compare::present(store_key),
                (_, Some(revision)) => Compare::modified(store_key, revision),
                (_, None) => Compare::absent(store_key),
            });
            if !changes(put, known) {
                stored.push(None);
                continue;
            }
            let mut past = match known.key.kind.keeps_history() {
                true => Some(Past::read(&*shared.store, &known.key).await?),
                false => None,
            };
            if let (Some(past), Some(current)) = (&mut past, &known.current) {
                past.adopt(current)?;
            }
            let version = past.as_mut().map_or(0, Past::next);
            let value = encode(caller, put, known, version, now)?;
            transaction = transaction.then(Op::Put {
                key: known.store_key.clone(),
                value: value.clone(),
                lease: None,
                blobs: past::blobs(&put.document),
            });
            if let Some(mut past) = past {
                let (document, is_new) = ((&put.document, &*value), known.current.is_none());
                past.add((now, &caller.principal), &put.note, is_new, Some(document))?;
                past.join(&mut transaction, &mut heads, &shared.options.history)?;
            }
            stored.push(Some(value));
        }
        transaction.compare.append(&mut heads);
        let ours = transaction.compare.len();
        if stored.iter().any(Option::is_some) {
            transaction.compare.extend(beside.compare.iter().cloned());
            transaction.then.extend(beside.then.iter().cloned());
            transaction.blobs.extend(beside.blobs.iter().cloned());
        }
        if dry_run {
            let index = shared.store.index();
            return Ok(answer(shared, puts, stored, known, index, false));
        }
        let mut offer = shared.view.handover().offer();
        for ((put, known), value) in puts.iter().zip(&known).zip(&stored) {
            if let Some(value) = value {
                offer.add(known.store_key.clone(), value.clone(), put.document.clone());
            }
        }
        match shared.store.commit(transaction).await {
            Ok(committed) => {
                offer.keep();
                return Ok(answer(shared, puts, stored, known, committed.index, true));
            }
            // Whoever knows what stands beside reads that anew.
            Err(CommitError::Conflict { at, .. }) if at >= ours => break,
            Err(CommitError::Conflict { at, .. }) => {
                // There is one compare for each document, in their order, and then those of heads,
                // which are read anew in any case.
                if let Some(known) = known.get_mut(at) {
                    refresh(shared, known).await?;
                }
            }
            Err(error) => return Err(error.into()),
        }
    }
    Err(keys
        .last()
        .map_or(Error::Stopped, |key| Error::Contention(key.clone())))
}

/// Whether what is known allows the write.
fn admit(caller: &Caller, put: &Put, known: &Known) -> Result<(), Error> {
    match (put.condition, &known.current) {
        (Condition::When(wanted), _) if !wanted.holds(known.revision()) => {
            Err(Error::Precondition {
                key: known.key.clone(),
                wanted,
                current: known.revision(),
            })
        }
        (Condition::When(_), Some(current)) => {
            approved(caller, current, Some(&put.document), put.note.standing)
        }
        _ => Ok(()),
    }
}

/// Reads the document as the store has it.
async fn refresh(shared: &Shared, known: &mut Known) -> Result<(), Error> {
    let entry = shared.store.get(&known.store_key).await?;
    known.is_shown = false;
    known.current = match entry {
        Some(entry) => Some(Document::from_stored(
            known.key.kind,
            entry.modified,
            &entry.value,
        )?),
        None => None,
    };
    Ok(())
}

/// Whether the write changes anything.
fn changes(put: &Put, known: &Known) -> bool {
    known.current.as_ref().is_none_or(|current| {
        matches!(put.condition, Condition::When(_)) && !current.same_intent(&put.document)
    })
}

/// The document as it is to be stored, stamped.
fn encode(
    caller: &Caller,
    put: &mut Put,
    known: &Known,
    version: u32,
    now: Timestamp,
) -> Result<Bytes, Error> {
    let current = known.current.as_ref().map(Document::metadata);
    let created = current.and_then(|current| current.created_at);
    stamp(&mut put.document, caller, created, now);
    put.document.metadata_mut().version = version;
    // A copy of the exact length: the store keeps it as long as the document lives.
    Ok(Bytes::copy_from_slice(&put.document.to_stored()?))
}

/// Fills in what the server owns.
pub(crate) fn stamp(
    document: &mut Document,
    caller: &Caller,
    created: Option<Timestamp>,
    now: Timestamp,
) {
    let metadata = document.metadata_mut();
    metadata.revision = 0;
    metadata.version = 0;
    metadata.created_at = Some(created.unwrap_or(now));
    metadata.updated_at = Some(now);
    metadata.updated_by = Some(caller.principal.to_string());
}

/// What each write came to.
fn answer(
    shared: &Shared,
    puts: Vec<Put>,
    stored: Vec<Option<Bytes>>,
    known: Vec<Known>,
    index: Index,
    committed: bool,
) -> Vec<Written> {
    let state = shared.view.load();
    let written = puts.into_iter().zip(stored).zip(known);
    let written = written.filter_map(|((put, stored), known)| {
        let (created, changed) = (known.current.is_none(), stored.is_some());
        let document = match (changed, known.current) {
            (true, _) => {
                let revision = committed.then_some(index.revision);
                shown(put.document, &known.key, revision, &state)
            }
            (false, Some(current)) if known.is_shown => current,
            (false, Some(current)) => shown(current, &known.key, None, &state),
            // A write always has a document or found one.
            (false, None) => return None,
        };
        Some(Written {
            document,
            index,
            created,
            changed,
            draft: None,
        })
    });
    written.collect()
}

/// A document with its revision, if it got one now, and the status it has or begins with.
fn shown(
    mut document: Document,
    key: &DocumentKey,
    revision: Option<u64>,
    state: &view::State,
) -> Document {
    let seen = state.get(key);
    if let Some(revision) = revision {
        if let Some(seen) = seen.filter(|seen| seen.metadata().revision == revision) {
            return seen.clone();
        }
        document.metadata_mut().revision = revision;
    }
    match seen {
        Some(seen) => document.copy_status(seen),
        None => view::begin(&mut document, state),
    }
    view::foresee(&mut document, state);
    document
}
