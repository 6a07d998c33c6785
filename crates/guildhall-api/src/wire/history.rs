//! The versions of a document, as the API tells them.

use guildhall_core::config::ContentDiff;
use guildhall_core::history::{Change, Head, Version, VersionRef};
use serde::{Deserialize, Serialize};

/// A version with its tags.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaggedVersion {
    /// How it came about.
    #[serde(flatten)]
    pub version: Version,
    /// Its names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
}

/// `GET …/history`: some versions, the newest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionList {
    /// The versions.
    pub items: Vec<TaggedVersion>,
    /// What is known of all of them.
    pub metadata: VersionListMetadata,
}

/// What is known of all versions of a document.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VersionListMetadata {
    /// Which there are, and their names. `last` is 0 if the document was last written when no history was kept.
    #[serde(flatten)]
    pub head: Head,
    /// Give it back as `continue` for older ones; absent on the last page.
    #[serde(rename = "continue", default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// `GET …/versions/{number}`: a version with what it said.
///
/// The server fills it with documents, a client reads raw JSON first.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RecordedVersion<T> {
    /// The version.
    #[serde(flatten)]
    pub version: TaggedVersion,
    /// The document, without status; absent of a deletion.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub document: Option<T>,
}

/// `GET …/diff`: what leads from one version to another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VersionDiff {
    /// The one; absent if the other is the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<TaggedVersion>,
    /// The other.
    pub to: TaggedVersion,
    /// Field by field.
    pub changes: Vec<Change>,
    /// As a unified diff of both as YAML; empty if they say the same.
    pub text: String,
    /// What changed in the content, of a file of configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<ContentDiff>,
}

/// The body of `POST …/rollback`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RollbackBody {
    /// The version to go back to, by its number or a tag.
    pub version: VersionRef,
    /// Why; `Guildhall-Comment` says the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}

/// The body of `PUT …/tags/{tag}`, and its answer, which has the number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TagBody {
    /// The version to name, by its number or another tag.
    pub version: VersionRef,
}
