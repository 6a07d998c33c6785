//! Reading a document whose kind stands in the document itself.

use guildhall_core::document::{Document, Kind};
use serde::Deserialize;

/// A document that this build cannot read.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    /// Its kind is newer than this build, or not Guildhall's.
    #[error("a document of kind {0:?}, which this build does not know: update it to use that kind")]
    UnknownKind(String),
    /// It is not what its kind says.
    #[error("a document that cannot be read: {0}")]
    Malformed(#[from] serde_json::Error),
}

/// Reads a document as the API writes it, status included.
pub fn read_document(json: &str) -> Result<Document, DocumentError> {
    #[derive(Deserialize)]
    struct Outer<'a> {
        #[serde(borrow)]
        kind: std::borrow::Cow<'a, str>,
    }
    let Outer { kind: word } = serde_json::from_str(json)?;
    match Kind::ALL.iter().copied().find(|kind| kind.word() == word) {
        Some(kind) => Ok(Document::from_api(kind, json)?),
        None => Err(DocumentError::UnknownKind(word.into_owned())),
    }
}

#[cfg(test)]
mod tests {
    use guildhall_core::{
        document::{Metadata, Namespace, Object, ServiceName},
        registry::{Health, Instance, InstanceStatus},
    };

    use super::*;

    #[test]
    fn a_document_reads_back_with_its_status() {
        let spec = Instance::new(ServiceName::new("user-service").unwrap(), "127.0.0.1", 3001);
        let mut object = Object::new(Metadata::named(Namespace::default(), "u1"), spec);
        object.status = Some(InstanceStatus {
            health: Health::Healthy,
            ..InstanceStatus::default()
        });
        let document = Document::from(object);
        let json = serde_json::to_string(&document).unwrap();
        assert_eq!(read_document(&json).unwrap(), document);
    }

    #[test]
    fn an_unknown_kind_is_told_apart() {
        let error = read_document(r#"{"kind": "Teapot", "metadata": {}, "spec": {}}"#).unwrap_err();
        assert!(matches!(error, DocumentError::UnknownKind(kind) if kind == "Teapot"));
        assert!(matches!(
            read_document("{}"),
            Err(DocumentError::Malformed(_))
        ));
    }
}
