//! What a watch says about a document that is gone.

use guildhall_core::document::{Document, DocumentKey, Kind, Metadata};
use serde::{Deserialize, Serialize};

/// `{kind, key, metadata}` of a document that is gone, or left the watch's filter.
///
/// `key` is the name within kind and namespace, `{service}/{id}` for an instance: its metadata
/// alone would not say of which service it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeletedDocument {
    /// What it was.
    pub kind: Kind,
    /// Its name in the key's form.
    pub key: String,
    /// What was last known of its metadata; name and namespace at least.
    pub metadata: Metadata,
}

impl DeletedDocument {
    /// Which document is gone.
    pub fn document_key(&self) -> DocumentKey {
        DocumentKey::new(
            self.kind,
            self.metadata.namespace.clone(),
            self.key.as_str(),
        )
    }
}

impl From<&DocumentKey> for DeletedDocument {
    fn from(key: &DocumentKey) -> Self {
        let name = match (key.kind, key.name.split_once('/')) {
            (Kind::Instance, Some((_, id))) => id,
            _ => &key.name,
        };
        let metadata = Metadata::named(key.namespace.clone(), name);
        Self {
            kind: key.kind,
            key: key.name.to_string(),
            metadata,
        }
    }
}

impl From<&Document> for DeletedDocument {
    fn from(document: &Document) -> Self {
        let key = document.key();
        Self {
            kind: key.kind,
            key: key.name.to_string(),
            metadata: document.metadata().clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use guildhall_core::document::Namespace;

    use super::*;

    #[test]
    fn a_deleted_instance_keeps_its_service() {
        let key = DocumentKey::new(Kind::Instance, Namespace::default(), "user-service/u1");
        let deleted = DeletedDocument::from(&key);
        assert_eq!(deleted.metadata.name, "u1");
        let json = serde_json::to_string(&deleted).unwrap();
        let read: DeletedDocument = serde_json::from_str(&json).unwrap();
        assert_eq!(read.document_key(), key);
    }
}
