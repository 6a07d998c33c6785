//! What changed between two contents, as it is told.

use serde::{Deserialize, Serialize};

use super::Position;
use crate::history::Change;

/// What leads from one content to another.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ContentDiff {
    /// Value by value, with where each stands; what moved is gone in one place and there in another. Absent where one
    /// side has no tree of values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub structural: Option<Vec<ValueChange>>,
    /// Line by line, as a unified diff; empty where the texts are the same. Absent where one side is binary.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub textual: Option<String>,
}

/// One value that is not what it was.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ValueChange {
    /// The value, before and after.
    #[serde(flatten)]
    pub change: Change,
    /// Where it stood; absent where it was not there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before_at: Option<Position>,
    /// Where it stands; absent where it is not there any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after_at: Option<Position>,
}
