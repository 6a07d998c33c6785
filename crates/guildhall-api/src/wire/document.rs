//! Reading a document whose kind stands in the document itself, perhaps of a newer server.

use guildhall_core::document::{Document, Kind};
use serde::Deserialize;

/// A document that this build cannot read.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    /// Its kind is newer than this build, or not Guildhall's.
    #[error("a document of kind {0:?}, which this build does not know: update it to use that kind")]
    UnknownKind(String),
    /// It is not what its kind says, or says it in words that this build does not know.
    #[error("{document} cannot be read: {cause}; if the server is newer, update this program")]
    Malformed {
        /// Which document, as far as that can be read.
        document: String,
        /// What is wrong with it.
        cause: serde_json::Error,
    },
}

impl DocumentError {
    /// `json` cannot be read for `cause`.
    pub(crate) fn malformed(json: &str, cause: serde_json::Error) -> Self {
        Self::Malformed {
            document: name(json).unwrap_or_else(|| "a document".to_owned()),
            cause,
        }
    }
}

/// What a document calls itself: its kind, namespace and name, and of what service it is.
fn name(json: &str) -> Option<String> {
    let json: serde_json::Value = serde_json::from_str(json).ok()?;
    let word = |pointer| json.pointer(pointer).and_then(serde_json::Value::as_str);
    let mut name = word("/metadata/name")?.to_owned();
    if let Some(service) = word("/spec/service") {
        name = format!("{service}/{name}");
    }
    Some(format!(
        "{} {name:?} in namespace {:?}",
        word("/kind").unwrap_or("document"),
        word("/metadata/namespace").unwrap_or("default"),
    ))
}

/// Reads a document as the API writes it, status included: what it says of things that this build
/// does not know is left out (see core's `document::read`).
pub fn read_document(json: &str) -> Result<Document, DocumentError> {
    #[derive(Deserialize)]
    struct Outer<'a> {
        #[serde(borrow)]
        kind: std::borrow::Cow<'a, str>,
    }
    let malformed = |cause| DocumentError::malformed(json, cause);
    let Outer { kind: word } = serde_json::from_str(json).map_err(malformed)?;
    match Kind::ALL.iter().copied().find(|kind| kind.word() == word) {
        Some(kind) => Document::from_api(kind, json).map_err(malformed),
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
            Err(DocumentError::Malformed { .. })
        ));
        let route = r#"{"kind": "HTTPRoute", "metadata": {"name": "r"}, "spec": {"rules": [{"filters": [{"type": "Next"}]}]}}"#;
        let error = read_document(route).unwrap_err().to_string();
        assert!(
            error.starts_with(
                r#"HTTPRoute "r" in namespace "default" cannot be read: unknown variant `Next`"#
            ),
            "{error}"
        );
    }
}
