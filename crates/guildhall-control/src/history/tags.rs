//! Tags: names of versions, changed by compare-and-set of the document's head.

use guildhall_core::access::Caller;
use guildhall_core::document::{DocumentKey, Index, Problems};
use guildhall_core::history::{TagError, VersionRef};
use guildhall_store::{CommitError, Transaction};

use super::Past;
use crate::audit::{Action, Outcome};
use crate::control::Shared;
use crate::documents::write::refusal;
use crate::{Error, clock};

pub(super) async fn tag(
    shared: &Shared,
    caller: &Caller,
    key: &DocumentKey,
    tag: &str,
    version: &VersionRef,
) -> Result<(u32, Index), Error> {
    let edit = |past: &mut Past<'_>| {
        let number = past.find(version)?;
        let orphan = past.head.tag(tag, number).map_err(|error| match error {
            TagError::Missing(_) => past.missing(version),
            TagError::TooMany => Error::Conflict(error.to_string()),
            TagError::Name(_) | TagError::Number(_) => {
                Problems::one("/tag", error.to_string()).into()
            }
        })?;
        Ok((orphan, number))
    };
    let result = edited(shared, key, edit).await;
    audit(shared, caller, Action::Tag, key, &result);
    result
}

pub(super) async fn untag(
    shared: &Shared,
    caller: &Caller,
    key: &DocumentKey,
    tag: &str,
) -> Result<Index, Error> {
    let edit = |past: &mut Past<'_>| {
        let missing = || past.missing(&VersionRef::Tag(tag.to_owned()));
        match past.head.tags.contains_key(tag) {
            true => Ok((past.head.untag(tag).flatten(), 0)),
            false => Err(missing()),
        }
    };
    let result = edited(shared, key, edit).await;
    audit(shared, caller, Action::Untag, key, &result);
    result.map(|(_, index)| index)
}

/// Changes the head until nobody else has meanwhile. `edit` answers the version that is to be
/// removed with it, and what is to be told.
async fn edited(
    shared: &Shared,
    key: &DocumentKey,
    edit: impl Fn(&mut Past<'_>) -> Result<(Option<u32>, u32), Error>,
) -> Result<(u32, Index), Error> {
    for _ in 0..shared.options.documents.attempts {
        let mut past = Past::read(&*shared.store, key).await?;
        let before = past.head.clone();
        let (orphan, told) = edit(&mut past)?;
        if past.head == before {
            return Ok((told, shared.store.index()));
        }
        let mut transaction = Transaction::new().when(past.compare());
        transaction.then = past.removal(orphan);
        transaction.then.push(past.put_head()?);
        match shared.store.commit(transaction).await {
            Ok(committed) => return Ok((told, committed.index)),
            Err(CommitError::Conflict { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(Error::Contention(key.clone()))
}

fn audit(
    shared: &Shared,
    caller: &Caller,
    action: Action,
    key: &DocumentKey,
    result: &Result<(u32, Index), Error>,
) {
    let outcome = match result {
        Ok((_, index)) => Outcome::Updated {
            revision: index.revision,
        },
        Err(error) => refusal(error),
    };
    shared
        .audit
        .write(caller, action, key, outcome, clock::wall());
}
