//! One version of a document: what it said, and how it came about.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use crate::document::{Document, Kind, Timestamp};

/// The most bytes of a comment.
pub const MAX_COMMENT: usize = 1024;

/// How a version came about; what it said is kept beside it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Version {
    /// Its number; the first is 1.
    pub version: u32,
    /// The store's revision that made it: the document's ETag as long as it was the live one.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub revision: u64,
    /// When.
    pub at: Timestamp,
    /// The principal who did it.
    pub by: String,
    /// Why, in the author's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// What was done.
    pub action: Act,
    /// Of a rollback: the version it went back to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<u32>,
    /// Where what it says comes from, if not from its author.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provenance: Option<Box<Provenance>>,
}

/// Where what a version says comes from. What is not given does not apply.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Provenance {
    /// The release of another environment that it was promoted from: `users/staging/app.yaml@5`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub promoted_from: Option<String>,
    /// The draft that it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub draft: Option<u32>,
    /// Who made the draft; who released it is the version's `by`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// Who approved the draft.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub approved_by: Vec<String>,
}

/// What made a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Act {
    /// There was no document, and then there was.
    Created,
    /// It changed.
    Updated,
    /// It was deleted: a version that says nothing.
    Deleted,
    /// An earlier version was put in its place.
    RolledBack,
}

impl Act {
    /// As on the wire.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Updated => "updated",
            Self::Deleted => "deleted",
            Self::RolledBack => "rolledBack",
        }
    }
}

fn is_zero(revision: &u64) -> bool {
    *revision == 0
}

/// A version, by its number or by a tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VersionRef {
    /// By its number.
    Number(u32),
    /// By a tag, which is never a number.
    Tag(String),
}

impl Serialize for VersionRef {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Number(number) => serializer.serialize_u32(*number),
            Self::Tag(tag) => serializer.serialize_str(tag),
        }
    }
}

impl<'de> Deserialize<'de> for VersionRef {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "a version's number, or a tag")]
        enum Word {
            Number(u32),
            Text(String),
        }
        Ok(match Word::deserialize(deserializer)? {
            Word::Number(number) => Self::Number(number),
            Word::Text(text) => Self::of(&text),
        })
    }
}

impl VersionRef {
    /// What `word` means: a number is one, everything else a tag.
    pub fn of(word: &str) -> Self {
        word.parse()
            .map_or_else(|_| Self::Tag(word.to_owned()), Self::Number)
    }
}

impl From<u32> for VersionRef {
    fn from(number: u32) -> Self {
        Self::Number(number)
    }
}

impl FromStr for VersionRef {
    type Err = std::convert::Infallible;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        Ok(Self::of(word))
    }
}

impl fmt::Display for VersionRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Tag(tag) => write!(f, "{tag:?}"),
        }
    }
}

/// The document of what the store keeps.
#[derive(Deserialize)]
struct Kept<'a> {
    #[serde(borrow, default)]
    document: Option<&'a RawValue>,
}

impl Version {
    /// What the store keeps: this, with the document as [`Document::to_stored`] wrote it. A
    /// revision of 0 stands for that of the transaction which writes it.
    pub fn to_stored(&self, document: Option<&[u8]>) -> Result<Vec<u8>, serde_json::Error> {
        let mut stored = serde_json::to_vec(self)?;
        if let Some(document) = document {
            // It is JSON already, and becomes the last member.
            stored.pop();
            stored.extend_from_slice(b",\"document\":");
            stored.extend_from_slice(document);
            stored.push(b'}');
        }
        Ok(stored)
    }

    /// Reads what [`Version::to_stored`] wrote, without the document; `modified` is the revision
    /// at which the store has it.
    pub fn from_stored(modified: u64, stored: &[u8]) -> Result<Self, serde_json::Error> {
        let mut version: Self = serde_json::from_slice(stored)?;
        if version.revision == 0 {
            version.revision = modified;
        }
        Ok(version)
    }

    /// The document of what [`Version::to_stored`] wrote, as it was while it was live (without status);
    /// lenient like [`Document::from_stored`].
    pub fn document(
        &self,
        kind: Kind,
        stored: &[u8],
    ) -> Result<Option<Document>, serde_json::Error> {
        let kept: Kept<'_> = serde_json::from_slice(stored)?;
        let read = |json: &RawValue| {
            let mut document = Document::from_stored(kind, self.revision, json.get().as_bytes())?;
            // What was written when no versions were counted does not know its own.
            document.metadata_mut().version = self.version;
            Ok(document)
        };
        kept.document.map(read).transpose()
    }
}

/// A comment as it is kept: trimmed; `None` where nothing is said.
///
/// # Errors
/// What is wrong with it, and the bound.
pub fn comment(text: &str) -> Result<Option<String>, String> {
    let text = text.trim();
    if text.len() > MAX_COMMENT {
        return Err(format!(
            "a comment has at most {MAX_COMMENT} bytes, this one has {}",
            text.len()
        ));
    }
    if let Some(control) = text
        .chars()
        .find(|c| c.is_control() && !"\n\t".contains(*c))
    {
        return Err(format!("a comment is text; this one has {control:?}"));
    }
    Ok((!text.is_empty()).then(|| text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::{Metadata, Namespace, Object};
    use crate::registry::Service;

    fn version(action: Act) -> Version {
        Version {
            version: 3,
            revision: 0,
            at: Timestamp(1_795_445_161_123),
            by: "anna".to_owned(),
            comment: Some("calmer".to_owned()),
            action,
            to: (action == Act::RolledBack).then_some(1),
            provenance: Some(Box::new(Provenance {
                promoted_from: Some("users/staging/app.yaml@5".to_owned()),
                approved_by: vec!["bob".to_owned()],
                ..Provenance::default()
            })),
        }
    }

    #[test]
    fn a_version_reads_back_with_its_document() {
        let metadata = Metadata::named(Namespace::default(), "users");
        let mut document: Document = Object::new(metadata, Service::default()).into();
        let bytes = document.to_stored().unwrap();
        let stored = version(Act::RolledBack).to_stored(Some(&bytes)).unwrap();
        let read = Version::from_stored(42, &stored).unwrap();
        let expected = Version {
            revision: 42,
            ..version(Act::RolledBack)
        };
        assert_eq!(read, expected);
        let metadata = document.metadata_mut();
        (metadata.revision, metadata.version) = (42, 3);
        let kept = read.document(Kind::Service, &stored).unwrap();
        assert_eq!(kept, Some(document));
    }

    #[test]
    fn a_deletion_says_nothing_and_a_newer_versions_field_is_passed_over() {
        let stored = version(Act::Deleted).to_stored(None).unwrap();
        let newer = String::from_utf8(stored)
            .unwrap()
            .replacen('{', r#"{"mood":"good","#, 1);
        let read = Version::from_stored(42, newer.as_bytes()).unwrap();
        assert_eq!(read.action, Act::Deleted);
        assert_eq!(
            read.document(Kind::Service, newer.as_bytes()).unwrap(),
            None
        );
    }

    #[test]
    fn a_version_is_meant_by_its_number_or_a_tag() {
        for (json, meant) in [
            ("3", VersionRef::Number(3)),
            ("\"3\"", VersionRef::Number(3)),
            ("\"good\"", VersionRef::Tag("good".to_owned())),
        ] {
            assert_eq!(serde_json::from_str::<VersionRef>(json).unwrap(), meant);
            assert_eq!(meant.to_string().trim_matches('"').parse(), Ok(meant));
        }
        let error = serde_json::from_str::<VersionRef>("-1")
            .unwrap_err()
            .to_string();
        assert!(error.contains("a version's number, or a tag"), "{error}");
    }

    #[test]
    fn comments_are_text_within_bounds() {
        assert_eq!(comment("  why not \n"), Ok(Some("why not".to_owned())));
        assert_eq!(comment(" "), Ok(None));
        assert!(comment("a\u{1b}[31m").unwrap_err().contains("\\u{1b}"));
        assert!(comment(&"x".repeat(MAX_COMMENT + 1)).is_err());
    }
}
