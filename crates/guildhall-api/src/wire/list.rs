//! A list of documents, whole or a page of it.

use guildhall_core::document::Index;
use serde::{Deserialize, Serialize};

/// `{items, metadata}`.
///
/// The server fills it with documents or their JSON, the client reads raw JSON first, because an
/// item's kind says how it is decoded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct List<T> {
    /// What was asked for, ordered by namespace and name.
    pub items: Vec<T>,
    /// Where the list stands.
    pub metadata: ListMetadata,
}

/// Where a list stands, and whether there is more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ListMetadata {
    /// The index that every page of the list is read at.
    pub revision: Index,
    /// Give it back as `continue` for the next page; absent on the last.
    #[serde(rename = "continue", default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// The most items of one page.
pub const MAX_LIMIT: usize = 5_000;
