//! The log's machine: requests become records, and the head once they are durable.

use std::sync::Arc;

use bytes::Bytes;
use guildhall_log::{CommitError, Log, Machine, Sequence};
use tokio::sync::oneshot;

use super::head::Batch;
use super::{IngestError, Shared};
use crate::rows::Rows;

type Reply = oneshot::Sender<Result<(), IngestError>>;

/// What is asked of the log.
pub(super) enum Request {
    /// To make a request durable.
    Append {
        /// As it came: what the log keeps.
        request: Bytes,
        /// What is in it.
        rows: Box<Rows>,
        reply: Reply,
    },
    /// To give back the records up to this one, which are in blocks.
    Drop(Sequence),
}

/// The machine.
pub(super) struct Wal {
    shared: Arc<Shared>,
    due: Vec<(Batch, Reply)>,
}

impl Wal {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            due: Vec::new(),
        }
    }
}

impl Machine for Wal {
    type Request = Request;

    fn stage(&mut self, request: Request, log: &mut Log) {
        match request {
            Request::Append {
                request,
                rows,
                reply,
            } => match log.stage(&[&request]) {
                Ok(sequence) => self.due.push((Batch::new(sequence, *rows), reply)),
                Err(error) => answer(reply, Err(error.into())),
            },
            Request::Drop(last) => {
                if let Err(error) = log.drop_before(last.next()) {
                    tracing::warn!(%error, "the traces' log keeps what is in blocks until the next one is written");
                }
            }
        }
    }

    fn committed(&mut self, _log: &mut Log) {
        if self.due.is_empty() {
            return;
        }
        let mut state = self.shared.lock();
        let mut replies = Vec::with_capacity(self.due.len());
        for (batch, reply) in self.due.drain(..) {
            state.head.push(batch);
            replies.push(reply);
        }
        drop(state);
        self.shared.changed.notify_all();
        for reply in replies {
            answer(reply, Ok(()));
        }
    }

    fn failed(&mut self, error: &CommitError, _log: &mut Log) {
        for (_, reply) in self.due.drain(..) {
            answer(reply, Err(error.clone().into()));
        }
    }
}

/// Whoever no longer waits misses only the answer.
fn answer(reply: Reply, answer: Result<(), IngestError>) {
    let _ = reply.send(answer);
}
