//! Drafts: releases that wait for the approval of others, kept beside the watched keys.
//!
//! ```text
//! a write that says draft ─▶ every check of a write, and no write ─▶ a draft ─▶ approvals ─▶ the write, and the draft is gone
//! ```
//!
//! A file's drafts are one value of the store, changed by compare-and-set; it names their contents, so that they are kept.

use std::sync::Arc;

use bytes::Bytes;
use guildhall_core::access::{Caller, Verb, authorize};
use guildhall_core::config::{Config, Draft, DraftRow, Drafts, drafts_key, drafts_of};
use guildhall_core::document::{DocumentKey, Index, Kind, Namespace, Object, Timestamp, read};
use guildhall_core::history::Provenance;
use guildhall_store::{BlobHash, CommitError, Compare, Op, Range, Store, Transaction};

use super::write::{self, Asked, Release, write_all};
use crate::audit::{Action, Outcome};
use crate::control::Shared;
use crate::documents::write::refusal;
use crate::documents::{Precondition, WriteOptions, Written};
use crate::history::{Note, Standing};
use crate::{Error, clock};

/// A draft before it has its number.
pub(super) struct Proposal(Draft);

impl Proposal {
    /// Of `document`, made from the version `base` of its file.
    pub(super) fn new(document: &Object<Config>, base: u32, note: &Note) -> Self {
        let provenance = note.provenance.as_deref();
        Self(Draft {
            id: 0,
            base,
            author: String::new(),
            created_at: Timestamp::default(),
            comment: note.comment.as_deref().map(str::to_owned),
            to: note.to,
            promoted_from: provenance.and_then(|from| from.promoted_from.clone()),
            approvals: Vec::new(),
            metadata: document.metadata.portable(),
            spec: document.spec.clone(),
        })
    }
}

/// The drafts of a file, as the store has them.
struct Kept<'a> {
    key: &'a DocumentKey,
    store_key: Bytes,
    drafts: Drafts,
    /// The revision at which the store has them.
    revision: Option<u64>,
}

impl<'a> Kept<'a> {
    async fn read(store: &dyn Store, key: &'a DocumentKey) -> Result<Self, Error> {
        let store_key = Bytes::from(drafts_key(key));
        let entry = store.get(&store_key).await?;
        Ok(Self {
            key,
            store_key,
            drafts: match &entry {
                Some(entry) => read(&entry.value)?,
                None => Drafts::default(),
            },
            revision: entry.map(|entry| entry.modified),
        })
    }

    fn find(&self, id: u32) -> Result<&Draft, Error> {
        self.drafts.find(id).ok_or_else(|| Error::NoDraft {
            key: self.key.clone(),
            id,
            known: self.drafts.items.iter().map(|draft| draft.id).collect(),
        })
    }

    /// Joins a transaction: `drafts` in the place of these.
    fn replace(self, drafts: &Drafts, transaction: &mut Transaction) -> Result<(), Error> {
        transaction.compare.push(match self.revision {
            Some(revision) => Compare::modified(self.store_key.clone(), revision),
            None => Compare::absent(self.store_key.clone()),
        });
        transaction.then.push(Op::Put {
            key: self.store_key,
            value: serde_json::to_vec(drafts)?.into(),
            lease: None,
            blobs: drafts.blobs().into_iter().map(BlobHash::new).collect(),
        });
        Ok(())
    }
}

/// Keeps what would have been written as drafts, all in one transaction; what changes nothing becomes none.
pub(super) async fn keep(
    shared: &Shared,
    caller: &Caller,
    proposals: Vec<Proposal>,
    mut written: Vec<Written>,
) -> Result<Vec<Written>, Error> {
    let changed = written.iter().map(|written| written.changed);
    let drafts: Vec<Option<Draft>> = proposals
        .into_iter()
        .zip(changed)
        .map(|(Proposal(draft), changed)| {
            changed.then(|| Draft {
                author: caller.principal.to_string(),
                created_at: clock::wall(),
                ..draft
            })
        })
        .collect();
    let keys: Vec<DocumentKey> = drafts.iter().flatten().map(Draft::key).collect();
    let Some(first) = keys.first() else {
        return Ok(written);
    };
    let kept = add(shared, &drafts, first).await;
    for key in &keys {
        audit(shared, caller, Action::Draft, key, &kept);
    }
    let (numbers, index) = kept?;
    for (written, number) in written.iter_mut().zip(numbers) {
        (written.draft, written.index) = (number, index);
    }
    Ok(written)
}

/// Adds the drafts, and answers their numbers and the index that has them.
async fn add(
    shared: &Shared,
    drafts: &[Option<Draft>],
    first: &DocumentKey,
) -> Result<(Vec<Option<u32>>, Index), Error> {
    let most = shared.options.config.drafts;
    for _ in 0..shared.options.documents.attempts {
        let mut transaction = Transaction::new();
        let mut numbers = Vec::with_capacity(drafts.len());
        for draft in drafts {
            let Some(draft) = draft else {
                numbers.push(None);
                continue;
            };
            let key = draft.key();
            let kept = Kept::read(&*shared.store, &key).await?;
            let mut all = kept.drafts.clone();
            let number = all.add(draft.clone(), most);
            numbers.push(Some(number.ok_or_else(|| {
                Error::Conflict(format!(
                    "{key} has {most} drafts, which is the most there may be (config.drafts); release or delete some of them"
                ))
            })?));
            kept.replace(&all, &mut transaction)?;
        }
        match shared.store.commit(transaction).await {
            Ok(committed) => return Ok((numbers, committed.index)),
            Err(CommitError::Conflict { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(Error::Contention(first.clone()))
}

/// The drafts of a file, the oldest first.
pub(super) async fn list(
    shared: &Shared,
    caller: &Caller,
    key: &DocumentKey,
) -> Result<Vec<DraftRow>, Error> {
    may(caller, Verb::Read, key)?;
    let kept = Kept::read(&*shared.store, key).await?;
    let live = write::present(shared, key).await?;
    let rows = kept.drafts.items.into_iter();
    Ok(rows.map(|draft| draft.row(live.as_deref())).collect())
}

/// Those of all files of a namespace, or of all namespaces, that the caller may read; by file.
pub(super) async fn list_all(
    shared: &Shared,
    caller: &Caller,
    namespace: Option<&Namespace>,
) -> Result<Vec<DraftRow>, Error> {
    let page = shared
        .store
        .range(Range::prefix(drafts_of(namespace)))
        .await?;
    let mut rows = Vec::new();
    for entry in &page.entries {
        let Drafts { items, .. } = read(&entry.value)?;
        let Some(key) = items.first().map(Draft::key) else {
            continue;
        };
        if may(caller, Verb::Read, &key).is_err() {
            continue;
        }
        let live = write::present(shared, &key).await?;
        rows.extend(items.into_iter().map(|draft| draft.row(live.as_deref())));
    }
    Ok(rows)
}

/// One draft.
pub(super) async fn get(
    shared: &Shared,
    caller: &Caller,
    key: &DocumentKey,
    id: u32,
) -> Result<DraftRow, Error> {
    may(caller, Verb::Read, key)?;
    let kept = Kept::read(&*shared.store, key).await?;
    let live = write::present(shared, key).await?;
    Ok(kept.find(id)?.clone().row(live.as_deref()))
}

/// Notes that the caller approves a draft.
pub(super) async fn approve(
    shared: &Shared,
    caller: &Caller,
    key: &DocumentKey,
    id: u32,
) -> Result<(DraftRow, Index), Error> {
    let change = |kept: &Kept<'_>, live: Option<&Object<Config>>| {
        let draft = kept.find(id)?;
        if *draft.author == *caller.principal {
            let key = key.clone();
            return Err(Error::OwnDraft { key, id });
        }
        is_current(draft, live)?;
        let drafts = kept.drafts.approved(id, &caller.principal, clock::wall());
        let row = drafts.find(id).unwrap_or(draft).clone().row(live);
        Ok((drafts, row))
    };
    let result = changed(shared, caller, key, change).await;
    audit(shared, caller, Action::Approve, key, &result);
    result
}

/// Takes a draft away.
pub(super) async fn delete(
    shared: &Shared,
    caller: &Caller,
    key: &DocumentKey,
    id: u32,
) -> Result<Index, Error> {
    let change = |kept: &Kept<'_>, _: Option<&Object<Config>>| {
        kept.find(id)?;
        Ok((kept.drafts.without(id), ()))
    };
    let result = changed(shared, caller, key, change).await;
    audit(shared, caller, Action::Discard, key, &result);
    result.map(|((), index)| index)
}

/// Changes the drafts of a file until nobody else has meanwhile. `change` knows them and the live document, and answers what
/// they become and what is to be told.
async fn changed<T>(
    shared: &Shared,
    caller: &Caller,
    key: &DocumentKey,
    change: impl Fn(&Kept<'_>, Option<&Object<Config>>) -> Result<(Drafts, T), Error>,
) -> Result<(T, Index), Error> {
    may(caller, Verb::Write, key)?;
    for _ in 0..shared.options.documents.attempts {
        let kept = Kept::read(&*shared.store, key).await?;
        let live = write::present(shared, key).await?;
        let (drafts, told) = change(&kept, live.as_deref())?;
        if drafts == kept.drafts {
            return Ok((told, shared.store.index()));
        }
        let mut transaction = Transaction::new();
        kept.replace(&drafts, &mut transaction)?;
        match shared.store.commit(transaction).await {
            Ok(committed) => return Ok((told, committed.index)),
            Err(CommitError::Conflict { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(Error::Contention(key.clone()))
}

fn audit<T>(
    shared: &Shared,
    caller: &Caller,
    action: Action,
    key: &DocumentKey,
    result: &Result<(T, Index), Error>,
) {
    let outcome = match result {
        Ok((_, index)) => Outcome::Updated {
            revision: index.revision,
        },
        Err(error) => refusal(error),
    };
    let at = clock::wall();
    shared.audit.write(caller, action, key, outcome, at);
}

/// Makes the release that a draft is, and takes the draft away, in one transaction.
pub(super) async fn release(
    shared: &Shared,
    caller: &Caller,
    key: &DocumentKey,
    id: u32,
    options: WriteOptions,
) -> Result<Written, Error> {
    may(caller, Verb::Write, key)?;
    let comment = options.comment()?;
    for _ in 0..shared.options.documents.attempts {
        let kept = Kept::read(&*shared.store, key).await?;
        let draft = kept.find(id)?.clone();
        let live = write::present(shared, key).await?;
        is_current(&draft, live.as_deref())?;
        let revision = live.map(|live| live.metadata.revision);
        if !options.precondition.holds(revision) {
            return Err(Error::Precondition {
                key: key.clone(),
                wanted: options.precondition,
                current: revision,
            });
        }
        let mut beside = Transaction::new();
        let left = kept.drafts.without(id);
        kept.replace(&left, &mut beside)?;
        let release = Release {
            asked: Asked::Document(Box::new(draft.document())),
            precondition: revision.map_or(Precondition::Absent, Precondition::Revision),
            note: note(draft, comment.clone()),
        };
        match write_all(shared, caller, &[release], &beside, options.dry_run).await {
            // The file, or its drafts, changed meanwhile.
            Err(Error::Precondition { .. } | Error::Contention(_)) => {}
            written => {
                let first = written?.into_iter().next();
                return first.ok_or_else(|| Error::NotFound(key.clone()));
            }
        }
    }
    Err(Error::Contention(key.clone()))
}

/// What the history says of a draft that is released; who releases it may say it in other words.
fn note(draft: Draft, comment: Option<Arc<str>>) -> Note {
    let approved_by: Vec<String> = draft.approvals.into_iter().map(|one| one.by).collect();
    Note {
        comment: comment.or(draft.comment.map(Arc::from)),
        to: draft.to,
        standing: Standing::Approved(u32::try_from(approved_by.len()).unwrap_or(u32::MAX)),
        provenance: Some(Box::new(Provenance {
            promoted_from: draft.promoted_from,
            draft: Some(draft.id),
            author: Some(draft.author),
            approved_by,
        })),
    }
}

fn is_current(draft: &Draft, live: Option<&Object<Config>>) -> Result<(), Error> {
    match draft.is_stale(live) {
        true => Err(Error::StaleDraft {
            key: draft.key(),
            id: draft.id,
            base: draft.base,
            live: live.map_or(0, |live| live.metadata.version),
        }),
        false => Ok(()),
    }
}

fn may(caller: &Caller, verb: Verb, key: &DocumentKey) -> Result<(), Error> {
    let (namespace, name) = (Some(&key.namespace), Some(&*key.name));
    Ok(authorize(
        caller,
        verb,
        Some(Kind::Config),
        namespace,
        name,
    )?)
}
