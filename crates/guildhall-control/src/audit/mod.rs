//! One record per write: who did what to which document, and how it ended.
//!
//! Every record goes to the log under the target `audit`, and to the [`AuditSink`] of the options
//! if there is one. [`FileSink`] keeps them in `audit.jsonl`. A record never holds a spec: what a
//! document said is in the store's history, and may be secret.

mod file;
mod record;

use std::sync::Arc;

use guildhall_core::access::Caller;
use guildhall_core::document::{DocumentKey, Timestamp};

pub use file::{AuditFileError, FileSink, FileSinkOptions};
pub use record::{Action, AuditRecord, Outcome};

/// Where audit records go beside the log.
pub trait AuditSink: Send + Sync + 'static {
    /// Takes one record. Must not block: the write it is about has not been answered yet.
    fn record(&self, record: AuditRecord);

    /// How many records could not be taken.
    fn lost(&self) -> u64 {
        0
    }
}

/// The sinks of one control plane.
#[derive(Clone, Default)]
pub(crate) struct Audit {
    sink: Option<Arc<dyn AuditSink>>,
}

impl Audit {
    pub(crate) fn new(sink: Option<Arc<dyn AuditSink>>) -> Self {
        Self { sink }
    }

    /// Records that `caller` tried `action` on `key` at `at`.
    pub(crate) fn write(
        &self,
        caller: &Caller,
        action: Action,
        key: &DocumentKey,
        outcome: Outcome,
        at: Timestamp,
    ) {
        tracing::info!(
            target: "audit",
            principal = &*caller.principal,
            request_id = &*caller.request_id,
            action = action.word(),
            kind = key.kind.word(),
            namespace = key.namespace.as_str(),
            name = &*key.name,
            outcome = outcome.word(),
            revision = outcome.revision(),
        );
        if let Some(sink) = &self.sink {
            sink.record(AuditRecord::new(caller, action, Some(key), outcome, at));
        }
    }

    /// Records that `caller` tried `action` on everything there is, at `at`.
    pub(crate) fn everything(
        &self,
        caller: &Caller,
        action: Action,
        outcome: Outcome,
        at: Timestamp,
    ) {
        tracing::info!(
            target: "audit",
            principal = &*caller.principal,
            request_id = &*caller.request_id,
            action = action.word(),
            outcome = outcome.word(),
            revision = outcome.revision(),
        );
        if let Some(sink) = &self.sink {
            sink.record(AuditRecord::new(caller, action, None, outcome, at));
        }
    }

    /// How many records the sink could not take.
    pub(crate) fn lost(&self) -> u64 {
        self.sink.as_ref().map_or(0, |sink| sink.lost())
    }
}
