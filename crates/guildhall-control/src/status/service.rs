//! The task that writes transitions.

use std::sync::Arc;

use guildhall_core::access::Caller;
use guildhall_core::document::{DocumentKey, Index};
use guildhall_store::{CommitError, MAX_OPERATIONS, Transaction};

use super::transitions::Waiting;
use super::unit::Unit;
use crate::audit::{Action, Outcome};
use crate::clock;
use crate::control::Shared;

/// How many instances are looked at for one transaction: each takes at least two operations.
const BATCH: usize = MAX_OPERATIONS / 2;

/// What became of a batch.
enum Done {
    /// It is written, or there was nothing to write.
    Written,
    /// Something has changed that the view did not have; it does now.
    Again,
    /// It cannot be written at present.
    Later,
}

/// Writes what checks find, until the control plane stops.
pub(crate) async fn run(shared: Arc<Shared>) {
    loop {
        tokio::select! {
            biased;
            () = shared.transitions.some.notified() => {}
            () = shared.stop.cancelled() => break,
        }
        while !shared.transitions.is_empty() && !shared.stop.is_cancelled() {
            match write(&shared).await {
                Done::Written | Done::Again => {}
                Done::Later => {
                    tokio::select! {
                        () = tokio::time::sleep(shared.options.status.retry) => {}
                        () = shared.stop.cancelled() => {}
                    }
                }
            }
        }
    }
    // What was found before the stop is written once; what cannot be is found again.
    while !shared.transitions.is_empty() && matches!(write(&shared).await, Done::Written) {}
}

/// Writes one batch.
async fn write(shared: &Shared) -> Done {
    let Some(fence) = shared.duty.fence() else {
        shared.transitions.clear();
        return Done::Written;
    };
    let state = shared.view.load();
    let mut transaction = Transaction::new().when(fence.compare());
    let mut taken: Vec<(DocumentKey, Waiting)> = Vec::new();
    let mut removed = Vec::new();
    let mut rest = shared.transitions.take(BATCH).into_iter();
    for (key, waiting) in rest.by_ref() {
        match Unit::of(&*shared.store, &state, &key, &waiting).await {
            Ok(None) => {}
            Ok(Some(unit)) => {
                let removes = unit.removes;
                if unit.join(&mut transaction).is_some() {
                    shared.transitions.put_back([(key, waiting)]);
                    break;
                }
                if removes {
                    removed.push(key.clone());
                }
                taken.push((key, waiting));
            }
            Err(error) => {
                tracing::error!(%key, %error, "a transition cannot be written and is left out");
            }
        }
    }
    shared.transitions.put_back(rest);
    if taken.is_empty() {
        return Done::Written;
    }
    match shared.store.commit(transaction).await {
        Ok(committed) => {
            audit(shared, &removed, committed.index);
            // The next batch begins from what this one wrote.
            seen(shared, committed.index).await
        }
        Err(CommitError::Conflict { at: 0, .. }) => {
            tracing::warn!(
                "the duty of checking instances was lost; whoever has it now finds for itself"
            );
            shared.duty.lost();
            shared.transitions.clear();
            Done::Written
        }
        Err(CommitError::Conflict { index, .. }) => {
            shared.transitions.put_back(taken);
            match seen(shared, index).await {
                Done::Written => Done::Again,
                other => other,
            }
        }
        Err(
            error @ (CommitError::Invalid(_)
            | CommitError::LeaseUnknown { .. }
            | CommitError::BlobMissing { .. }
            | CommitError::Blob(_)),
        ) => {
            tracing::error!(%error, "transitions are refused by the store and are left out");
            Done::Written
        }
        Err(error) => {
            tracing::warn!(%error, "transitions cannot be written; they are kept and tried again");
            shared.transitions.put_back(taken);
            Done::Later
        }
    }
}

/// Waits until the view has what was written; at the stop nobody needs it any more.
async fn seen(shared: &Shared, index: Index) -> Done {
    tokio::select! {
        biased;
        () = shared.stop.cancelled() => Done::Written,
        seen = shared.view.wait_for(&*shared.store, index) => match seen {
            Ok(_) => Done::Written,
            Err(_) => Done::Later,
        },
    }
}

fn audit(shared: &Shared, removed: &[DocumentKey], index: Index) {
    let system = Caller::system("deregisterAfter");
    for key in removed {
        let outcome = Outcome::Deleted {
            revision: index.revision,
        };
        shared
            .audit
            .write(&system, Action::Delete, key, outcome, clock::wall());
    }
}
