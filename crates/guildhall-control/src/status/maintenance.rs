//! Operators take an instance out of traffic and back in: durable, in the status, in the timeline.

use guildhall_core::access::{Caller, Verb, authorize};
use guildhall_core::document::{Document, DocumentKey};
use guildhall_core::registry::Maintenance;
use guildhall_store::{CommitError, Transaction};

use super::unit::{Unit, status_in};
use crate::audit::{Action, Outcome};
use crate::control::Shared;
use crate::documents::Written;
use crate::documents::write::refusal;
use crate::{Error, clock};

/// Sets or ends maintenance; answers the instance as it is then.
pub(crate) async fn maintenance(
    shared: &Shared,
    caller: &Caller,
    key: &DocumentKey,
    wish: Option<Maintenance>,
) -> Result<Written, Error> {
    let result = attempt(shared, caller, key, wish).await;
    let outcome = match &result {
        Ok(written) if written.changed => Outcome::Updated {
            revision: written.index.revision,
        },
        Ok(_) => Outcome::Unchanged,
        Err(error) => refusal(error),
    };
    shared
        .audit
        .write(caller, Action::Maintenance, key, outcome, clock::wall());
    result
}

async fn attempt(
    shared: &Shared,
    caller: &Caller,
    key: &DocumentKey,
    wish: Option<Maintenance>,
) -> Result<Written, Error> {
    authorize(
        caller,
        Verb::Write,
        Some(key.kind),
        Some(&key.namespace),
        Some(&key.name),
    )?;
    let wish = wish.map(|wish| Maintenance {
        by: caller.principal.to_string(),
        ..wish
    });
    // The view may lag behind what the caller has just registered.
    let mut state = shared
        .view
        .wait_for(&*shared.store, shared.store.index())
        .await?;
    for _ in 0..shared.options.documents.attempts {
        let Some(mut status) = status_in(&state, key) else {
            return Err(Error::NotFound(key.clone()));
        };
        let written = |state: &crate::State, index, changed| {
            let document: Option<Document> = state.get(key).cloned();
            document
                .map(|document| Written {
                    document,
                    index,
                    created: false,
                    changed,
                    draft: None,
                })
                .ok_or_else(|| Error::NotFound(key.clone()))
        };
        let Some(entry) = status.hold(wish.clone(), clock::wall()) else {
            return written(&state, state.index, false);
        };
        let unit = Unit::transition(&*shared.store, &state, key, &status, vec![entry]).await?;
        let mut transaction = Transaction::new();
        unit.join(&mut transaction);
        let index = match shared.store.commit(transaction).await {
            Ok(committed) => {
                let state = shared
                    .view
                    .wait_for(&*shared.store, committed.index)
                    .await?;
                return written(&state, committed.index, true);
            }
            Err(CommitError::Conflict { index, .. }) => index,
            Err(error) => return Err(error.into()),
        };
        state = shared.view.wait_for(&*shared.store, index).await?;
    }
    Err(Error::Contention(key.clone()))
}
