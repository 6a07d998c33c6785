//! What can break.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

/// The most changes that one comparison tells.
pub const MAX_CHANGES: usize = 100;

/// Something that consumers rely on and that a new contract does not keep.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BreakingChange {
    /// What sort of change.
    pub kind: ChangeKind,
    /// Where: in OpenAPI the operation, then the part of it, then a JSON Pointer into the
    /// message (`POST /users request /address/street`); in a JSON Schema the pointer alone. `*`
    /// stands for every item of an array or every property of a map.
    pub at: String,
    /// What was and what is now.
    pub detail: String,
}

/// Sorts of breaking changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ChangeKind {
    /// The contract is written in another format: nothing can be compared.
    FormatChanged,
    /// An operation is gone.
    OperationRemoved,
    /// A parameter that need not be sent must be sent now.
    ParameterRequired,
    /// A request body that need not be sent must be sent now.
    BodyRequired,
    /// A media type is no longer taken, or no longer given.
    MediaTypeRemoved,
    /// A successful response is gone.
    ResponseRemoved,
    /// A property that need not be sent must be sent now.
    PropertyRequired,
    /// A property is no longer taken, or no longer given.
    PropertyRemoved,
    /// A property that was always given may be missing now.
    PropertyOptional,
    /// A value that could be sent is no longer taken.
    EnumValueRemoved,
    /// A value may be given that could not be before.
    EnumValueAdded,
    /// A type that could be sent is no longer taken.
    TypeNarrowed,
    /// A type may be given that could not be before.
    TypeChanged,
    /// A limit on what may be sent is tighter.
    BoundNarrowed,
    /// It could not be told, or not all of it was: a reference outside the document, a keyword
    /// that is not compared, too deep or too large. Counts as breaking: nobody knows better.
    Incomplete,
}

/// Collects changes; bounded, and each is told once.
#[derive(Debug, Default)]
pub(super) struct Report {
    changes: Vec<BreakingChange>,
    seen: HashSet<BreakingChange>,
    left_out: usize,
}

impl Report {
    pub(super) fn add(
        &mut self,
        kind: ChangeKind,
        at: impl Into<String>,
        detail: impl Into<String>,
    ) {
        let change = BreakingChange {
            kind,
            at: at.into(),
            detail: detail.into(),
        };
        if self.changes.len() >= MAX_CHANGES {
            self.left_out += 1;
        } else if self.seen.insert(change.clone()) {
            self.changes.push(change);
        }
    }

    pub(super) fn finish(mut self) -> Vec<BreakingChange> {
        if self.left_out > 0 {
            let detail = format!("only the first {MAX_CHANGES} changes are told");
            self.changes.push(BreakingChange {
                kind: ChangeKind::Incomplete,
                at: String::new(),
                detail,
            });
        }
        self.changes
    }
}
