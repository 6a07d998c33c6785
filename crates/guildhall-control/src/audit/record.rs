//! What one audit record says.

use std::sync::Arc;

use guildhall_core::access::{Caller, Via};
use guildhall_core::document::{DocumentKey, Kind, Namespace, Timestamp};
use serde::Serialize;

/// What was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Action {
    /// A document was written.
    Put,
    /// A document was deleted.
    Delete,
    /// An instance was taken out of traffic or back in.
    Maintenance,
    /// A lock was acquired.
    Acquire,
    /// A lock was given back.
    Release,
    /// Everything was replaced by a snapshot.
    Restore,
    /// An earlier version of a document was put in its place.
    Rollback,
    /// A version of a document was given a name.
    Tag,
    /// The name was taken away.
    Untag,
    /// A draft was made of a document.
    Draft,
    /// A draft was approved.
    Approve,
    /// A draft was taken away.
    Discard,
}

impl Action {
    /// As in the log and the file.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Put => "put",
            Self::Delete => "delete",
            Self::Maintenance => "maintenance",
            Self::Acquire => "acquire",
            Self::Release => "release",
            Self::Restore => "restore",
            Self::Rollback => "rollback",
            Self::Tag => "tag",
            Self::Untag => "untag",
            Self::Draft => "draft",
            Self::Approve => "approve",
            Self::Discard => "discard",
        }
    }
}

/// How it ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "camelCase")]
pub enum Outcome {
    /// It is there, and was not before.
    Created {
        /// The revision that holds it.
        revision: u64,
    },
    /// It changed.
    Updated {
        /// The revision that holds it.
        revision: u64,
    },
    /// It already was as asked.
    Unchanged,
    /// It is gone.
    Deleted {
        /// The revision that lacks it.
        revision: u64,
    },
    /// The caller may not.
    Denied,
    /// It was refused or failed.
    Failed {
        /// The error's words.
        error: String,
    },
}

impl Outcome {
    /// As in the log and the file.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Created { .. } => "created",
            Self::Updated { .. } => "updated",
            Self::Unchanged => "unchanged",
            Self::Deleted { .. } => "deleted",
            Self::Denied => "denied",
            Self::Failed { .. } => "failed",
        }
    }

    /// The revision it made, if it made one.
    pub const fn revision(&self) -> Option<u64> {
        match self {
            Self::Created { revision }
            | Self::Updated { revision }
            | Self::Deleted { revision } => Some(*revision),
            _ => None,
        }
    }
}

/// One line of `audit.jsonl`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditRecord {
    /// When it was answered.
    pub at: Timestamp,
    /// Who asked.
    pub principal: Arc<str>,
    /// Through what.
    pub via: Via,
    /// The request's id, as in its log line.
    pub request_id: Arc<str>,
    /// What was asked for.
    pub action: Action,
    /// The document's kind; like its namespace and name absent where the action concerns everything.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<Kind>,
    /// The document's namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<Namespace>,
    /// The document's name in its key's form.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<Arc<str>>,
    /// How it ended.
    #[serde(flatten)]
    pub outcome: Outcome,
}

impl AuditRecord {
    pub(super) fn new(
        caller: &Caller,
        action: Action,
        key: Option<&DocumentKey>,
        outcome: Outcome,
        at: Timestamp,
    ) -> Self {
        Self {
            at,
            principal: caller.principal.clone(),
            via: caller.via,
            request_id: caller.request_id.clone(),
            action,
            kind: key.map(|key| key.kind),
            namespace: key.map(|key| key.namespace.clone()),
            name: key.map(|key| key.name.clone()),
            outcome,
        }
    }
}
