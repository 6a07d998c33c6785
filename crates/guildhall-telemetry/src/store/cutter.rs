//! The thread that makes blocks of the head.

use std::sync::{Arc, PoisonError};

use guildhall_log::{Sequence, Submitter};

use super::head::Head;
use super::held::{self, Held};
use super::wal::Request;
use super::{Shared, State};
use crate::block::{self, ReadError, WriteError};

/// Why the head did not become a block.
#[derive(Debug, thiserror::Error)]
enum CutError {
    #[error(transparent)]
    Write(#[from] WriteError),
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// Makes blocks until the store stops.
pub(super) fn run(shared: &Shared, log: &Submitter<Request>) {
    while let Some(head) = next(shared) {
        match cut(shared, &head) {
            Ok(last) => {
                if let Some(last) = last
                    && log.try_submit(Request::Drop(last), 0).is_err()
                {
                    tracing::debug!(
                        "the queue of the traces' log is full; the next block takes this along"
                    );
                }
            }
            Err(error) => {
                tracing::error!(%error, "a block of traces could not be written; it is tried again");
                let mut state = shared.lock();
                state.failed_cuts += 1;
                let waited =
                    shared
                        .changed
                        .wait_timeout_while(state, shared.options.retry, |state| !state.stopping);
                drop(waited.unwrap_or_else(PoisonError::into_inner));
            }
        }
    }
}

/// The head once it is due; `None` when the store stops: what is in it then is in the log.
fn next(shared: &Shared) -> Option<Head> {
    let is_full = |state: &State| state.head.bytes() >= shared.options.cut_bytes;
    let state = shared.lock();
    let is_idle = |state: &mut State| !state.stopping && state.head.batches().is_empty();
    let state = shared
        .changed
        .wait_while(state, is_idle)
        .unwrap_or_else(PoisonError::into_inner);
    let is_young = |state: &mut State| !state.stopping && !is_full(state);
    let (state, _) = shared
        .changed
        .wait_timeout_while(state, shared.options.cut_after, is_young)
        .unwrap_or_else(PoisonError::into_inner);
    (!state.stopping).then(|| state.head.clone())
}

/// Makes a block of the head; up to which record that is.
fn cut(shared: &Shared, head: &Head) -> Result<Option<Sequence>, CutError> {
    let Some((rows, first, last)) = head.merged() else {
        return Ok(None);
    };
    let name = held::name(first, last);
    block::write(&rows, &*shared.files, &name)?;
    drop(rows);
    let held = Held::open(&*shared.files, name)?;
    let mut state = shared.lock();
    state.blocks.push(Arc::new(held));
    state.head.drop_through(last);
    Ok(Some(last))
}
