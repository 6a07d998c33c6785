//! Drafts of files of configuration, as the API tells them.

use guildhall_core::config::{ContentDiff, DraftRow};
use guildhall_core::history::Change;
use serde::{Deserialize, Serialize};

/// `GET …/drafts`: of a file, the oldest first; of a namespace, by file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DraftList {
    /// The drafts.
    pub items: Vec<DraftRow>,
}

/// `GET …/drafts/{draft}/diff`: what leads from the live document to the draft.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DraftDiff {
    /// The draft.
    pub draft: DraftRow,
    /// Field by field.
    pub changes: Vec<Change>,
    /// As a unified diff of both as YAML; empty if they say the same.
    pub text: String,
    /// What changes in the content.
    pub content: ContentDiff,
}
