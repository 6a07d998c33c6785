//! One document with its spec typed.

use std::fmt::Debug;

use serde::{Serialize, Serializer, de::DeserializeOwned, ser::SerializeStruct};

use super::{DocumentKey, Kind, Metadata, Name, NameError, Pointer, Problems, Remedies};

/// The `apiVersion` of Guildhall's documents.
pub const API_VERSION: &str = "guildhall/v1";

/// What a kind of document specifies.
pub trait Spec:
    Serialize + DeserializeOwned + Clone + Debug + PartialEq + Send + Sync + 'static
{
    /// The kind this is the spec of.
    const KIND: Kind;

    /// What the platform reports about such a document; `()` if nothing.
    type Status: Serialize + DeserializeOwned + Clone + Debug + PartialEq + Send + Sync + 'static;

    /// What a reader makes of words that a newer version has added, by their place in the whole
    /// document. Without an entry, a document that holds one in its spec is not read.
    const UNKNOWN_WORDS: Remedies = &[];

    /// Notes everything that decoding alone does not refuse; `at` points at the spec.
    fn validate(&self, at: &Pointer<'_>, problems: &mut Problems);

    /// Checks `metadata.name` against the kind's rule.
    fn check_name(name: &str) -> Result<(), NameError> {
        Name::new(name).map(drop)
    }

    /// Fills what the document leaves out from the name its path gives, in the key's form.
    fn adopt(&mut self, metadata: &mut Metadata, key_name: &str) {
        if metadata.name.is_empty() {
            metadata.name = key_name.to_owned();
        }
    }

    /// The blobs that the document needs, by their hashes: the store keeps them as long as the
    /// document is live or a version of it is kept.
    fn blobs(&self) -> Vec<[u8; 32]> {
        Vec::new()
    }

    /// The document's name within kind and namespace.
    fn key_name(&self, metadata: &Metadata) -> String {
        metadata.name.clone()
    }
}

/// A document: metadata, spec and, once the platform has something to report, status.
#[derive(Clone, Debug, PartialEq)]
pub struct Object<S: Spec> {
    /// Who the document is and when it changed.
    pub metadata: Metadata,
    /// What the user wants.
    pub spec: S,
    /// What the platform observes.
    pub status: Option<S::Status>,
}

impl<S: Spec> Object<S> {
    /// A document without status.
    pub fn new(metadata: Metadata, spec: S) -> Self {
        Self {
            metadata,
            spec,
            status: None,
        }
    }

    /// Checks its name and its spec for what decoding alone does not refuse.
    ///
    /// # Errors
    /// All that is wrong, each with where it stands.
    pub fn validate(&self) -> Result<(), Problems> {
        let mut problems = Problems::default();
        if let Err(detail) = S::check_name(&self.metadata.name) {
            problems.add("/metadata/name", detail);
        }
        self.spec.validate(&Pointer::root("spec"), &mut problems);
        problems.into_result(())
    }

    /// Which document this is.
    pub fn key(&self) -> DocumentKey {
        DocumentKey::new(
            S::KIND,
            self.metadata.namespace.clone(),
            self.spec.key_name(&self.metadata),
        )
    }
}

impl<S: Spec> Serialize for Object<S> {
    fn serialize<T: Serializer>(&self, serializer: T) -> Result<T::Ok, T::Error> {
        let mut fields = serializer.serialize_struct("Document", 5)?;
        fields.serialize_field("apiVersion", API_VERSION)?;
        fields.serialize_field("kind", &S::KIND)?;
        fields.serialize_field("metadata", &self.metadata)?;
        fields.serialize_field("spec", &self.spec)?;
        if let Some(status) = &self.status {
            fields.serialize_field("status", status)?;
        }
        fields.end()
    }
}
