//! A file of configuration as a document. Its bytes are not in it: the document names them by their hash.

use serde::{Deserialize, Serialize};

use super::{ConfigName, ContentHash, Format};
use crate::document::{Kind, NameError, Pointer, Problems, Remedies, Remedy, Spec};

/// A file of configuration. The document's name is `{service}/{environment}/{file}`.
///
/// Each version of it is a release: who made it, when, why and with which content stands in the document's history.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Config {
    /// How the content is written. If absent, the platform goes by the file's name, then by the bytes, and fills it in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<Format>,
    /// Which content. In a write it may name one that the platform has; if it is absent, with no content given either,
    /// the present one stays.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_hash: Option<ContentHash>,
    /// How many bytes the content has. The platform fills it in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// In a write only: the content, where it is text. The document that is kept names it by its hash.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    /// In a write only: the content in Base64, where it is not text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_base64: Option<String>,
}

impl Spec for Config {
    const KIND: Kind = Kind::Config;
    type Status = ();
    // What a newer version parses, this one passes on as it is.
    const UNKNOWN_WORDS: Remedies = &[("/spec/format", Remedy::Read("binary"))];

    fn check_name(name: &str) -> Result<(), NameError> {
        ConfigName::parse(name).map(drop)
    }

    fn blobs(&self) -> Vec<[u8; 32]> {
        self.content_hash.iter().map(|hash| hash.0).collect()
    }

    fn validate(&self, at: &Pointer<'_>, problems: &mut Problems) {
        let given = [self.content.is_some(), self.content_base64.is_some()];
        problems.check(
            given != [true, true],
            at.field("contentBase64"),
            "give content or contentBase64, not both",
        );
        problems.check(
            given == [false, false] || self.content_hash.is_none(),
            at.field("contentHash"),
            "leave it out where content is given; the platform fills it in",
        );
    }
}
