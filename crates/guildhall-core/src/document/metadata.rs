//! A document's metadata.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Namespace, Timestamp};

/// Who a document is and when it changed.
///
/// `revision`, `version`, `createdAt`, `updatedAt` and `updatedBy` belong to the server: a PUT ignores
/// them. `revision` is the store's revision of the last change to the spec; it is the ETag.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Metadata {
    /// The document's own name; for an instance its id, for a version `{service}/{version}`.
    #[serde(default)]
    pub name: String,
    /// The namespace the document lives in.
    #[serde(default)]
    pub namespace: Namespace,
    /// What selectors select by.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// What tools note for themselves; never selected by.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// The revision of the last change to the spec; 0 before the first write.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub revision: u64,
    /// Which version of the document this is; 0, and not shown, where no history is kept.
    #[serde(default, skip_serializing_if = "is_unversioned")]
    pub version: u32,
    /// When the document was first written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
    /// When its spec last changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<Timestamp>,
    /// The principal that last changed its spec.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updated_by: Option<String>,
}

fn is_zero(revision: &u64) -> bool {
    *revision == 0
}

fn is_unversioned(version: &u32) -> bool {
    *version == 0
}

impl Metadata {
    /// The metadata of a document not yet written.
    pub fn named(namespace: Namespace, name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            namespace,
            ..Self::default()
        }
    }

    /// The same without what the server owns, as `export` writes it.
    pub fn portable(&self) -> Self {
        Self {
            revision: 0,
            version: 0,
            created_at: None,
            updated_at: None,
            updated_by: None,
            ..self.clone()
        }
    }
}
