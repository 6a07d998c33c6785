//! Deleting a document with all that belongs to it, in one transaction.

use guildhall_core::access::{Caller, Verb, authorize};
use guildhall_core::document::{Document, DocumentKey, Index, KeyPart, Kind};
use guildhall_core::registry::timeline;
use guildhall_store::{CommitError, Compare, MAX_OPERATIONS, Op, Range, Store, Transaction};

use super::Precondition;
use super::write::refusal;
use crate::audit::{Action, Outcome};
use crate::config::approved;
use crate::control::Shared;
use crate::history::{Note, Past};
use crate::{Error, clock};

/// Authorizes, deletes and audits; answers the index that lacks the document.
pub(crate) async fn delete(
    shared: &Shared,
    caller: &Caller,
    key: &DocumentKey,
    precondition: Precondition,
    note: &Note,
    dry_run: bool,
) -> Result<Index, Error> {
    let result = attempt(shared, caller, key, precondition, note, dry_run).await;
    if !dry_run {
        let outcome = match &result {
            Ok(index) => Outcome::Deleted {
                revision: index.revision,
            },
            Err(error) => refusal(error),
        };
        shared
            .audit
            .write(caller, Action::Delete, key, outcome, clock::wall());
    }
    result
}

async fn attempt(
    shared: &Shared,
    caller: &Caller,
    key: &DocumentKey,
    precondition: Precondition,
    note: &Note,
    dry_run: bool,
) -> Result<Index, Error> {
    authorize(
        caller,
        Verb::Write,
        Some(key.kind),
        Some(&key.namespace),
        Some(&key.name),
    )?;
    let spec = key.store_key(KeyPart::Spec);
    for _ in 0..shared.options.documents.attempts {
        let Some(entry) = shared.store.get(spec.as_bytes()).await? else {
            return Err(match precondition {
                Precondition::None | Precondition::Absent => Error::NotFound(key.clone()),
                wanted => Error::Precondition {
                    key: key.clone(),
                    wanted,
                    current: None,
                },
            });
        };
        let current = Some(entry.modified);
        if !precondition.holds(current) {
            return Err(Error::Precondition {
                key: key.clone(),
                wanted: precondition,
                current,
            });
        }
        let mut doomed = belongings(shared, key).await?;
        doomed.truncate(MAX_OPERATIONS - 2);
        let mut transaction =
            Transaction::new().when(Compare::modified(spec.clone(), entry.modified));
        transaction.then = removal(key);
        transaction.then.extend(doomed);
        if key.kind.keeps_history() {
            let document = Document::from_stored(key.kind, entry.modified, &entry.value)?;
            approved(caller, &document, None, note.standing)?;
            let mut past = Past::read(&*shared.store, key).await?;
            past.adopt(&document)?;
            past.next();
            past.add((clock::wall(), &caller.principal), note, false, None)?;
            let mut heads = Vec::new();
            past.join(&mut transaction, &mut heads, &shared.options.history)?;
            transaction.compare.append(&mut heads);
        }
        if dry_run {
            return Ok(shared.store.index());
        }
        match shared.store.commit(transaction).await {
            Ok(committed) => return Ok(committed.index),
            Err(CommitError::Conflict { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(Error::Contention(key.clone()))
}

/// The document itself: its spec and its status.
pub(crate) fn removal(key: &DocumentKey) -> Vec<Op> {
    [KeyPart::Spec, KeyPart::Status]
        .into_iter()
        .map(|part| Op::delete(key.store_key(part)))
        .collect()
}

/// What goes with the document: an instance's timeline, a service's versions.
async fn belongings(shared: &Shared, key: &DocumentKey) -> Result<Vec<Op>, Error> {
    match key.kind {
        Kind::Instance => timeline_of(&*shared.store, key).await,
        Kind::Service => versions_of(shared, key).await,
        _ => Ok(Vec::new()),
    }
}

/// The deletion of an instance's timeline.
pub(crate) async fn timeline_of(store: &dyn Store, key: &DocumentKey) -> Result<Vec<Op>, Error> {
    let Some((service, id)) = key.name.split_once('/') else {
        return Ok(Vec::new());
    };
    let prefix = timeline::prefix(&key.namespace, service, id);
    let page = store.range(Range::prefix(prefix)).await?;
    Ok(page
        .entries
        .iter()
        .map(|entry| Op::delete(entry.key.clone()))
        .collect())
}

/// The deletion of a service's versions. More than one transaction holds are deleted before it.
async fn versions_of(shared: &Shared, key: &DocumentKey) -> Result<Vec<Op>, Error> {
    let under =
        |kind: Kind| DocumentKey::new(kind, key.namespace.clone(), format!("{}/", key.name));
    let instances = Range::prefix(under(Kind::Instance).store_key(KeyPart::Spec)).limit(1);
    if !shared.store.range(instances).await?.entries.is_empty() {
        return Err(Error::Conflict(format!(
            "{key} still has instances; deregister them first, they would only create it anew"
        )));
    }
    let versions = Range::prefix(under(Kind::ServiceVersion).store_key(KeyPart::Spec));
    let page = shared.store.range(versions).await?;
    let keys = page
        .entries
        .iter()
        .filter_map(|entry| DocumentKey::from_store_key(&entry.key));
    let mut doomed: Vec<Op> = keys.flat_map(|(_, key)| removal(&key)).collect();
    while doomed.len() > MAX_OPERATIONS - 2 {
        let then = doomed.split_off(doomed.len() - (MAX_OPERATIONS - 2));
        shared
            .store
            .commit(Transaction {
                then,
                ..Transaction::default()
            })
            .await?;
    }
    Ok(doomed)
}
