//! A file of configuration as a document. Its bytes are not in it: the document names them by their hash.

use serde::{Deserialize, Serialize};

use super::{Approval, ConfigName, ContentHash, Format, gray::Match};
use crate::document::{
    Kind, Name, NameError, Pointer, Problems, Remedies, Remedy, Spec, Timestamp,
};

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
    /// The file of the same namespace with the JSON Schema that what readers of this file get must fit. Its name ends with
    /// `.schema.json` or `.schema.yaml`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema_ref: Option<String>,
    /// Values that are sealed at each write, as JSON Pointers: they are kept encrypted, and shown as `******` to whoever may
    /// not reveal them. One that stands nowhere is passed over.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sealed: Vec<String>,
    /// Contents that some readers get before the others. Of several that are for a reader, the first counts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub gray: Vec<GrayRelease>,
    /// How many people must agree before what readers get changes. None if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approval: Option<Approval>,
}

/// A content that some readers get before the others.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct GrayRelease {
    /// Its name, among those of the file. Readers fall on their side of a percentage by it.
    pub name: String,
    /// Whom it is for.
    #[serde(rename = "match")]
    pub rule: Match,
    /// Whether it is laid over the file's content; otherwise it stands in its place.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub overlay: bool,
    /// When it is taken back by itself.
    #[serde(skip_serializing_if = "Judgement::is_default")]
    pub judgement: Judgement,
    /// As the file's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_hash: Option<ContentHash>,
    /// As the file's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// As the file's; if there is neither this nor a hash, the content of the gray release of this name stays.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    /// As the file's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_base64: Option<String>,
    /// When it began. The platform fills it in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
}

/// When a gray release is taken back by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Judgement {
    /// Whether it is at all; so it is if this is absent.
    pub automatic: bool,
    /// How many of its listeners may fail to apply it; one more and it is taken back. None by default.
    pub max_failed: u32,
    /// How many of its listeners' instances may turn unhealthy after they got it; one more and it is taken back. None by
    /// default.
    pub max_unhealthy: u32,
}

impl Default for Judgement {
    fn default() -> Self {
        Self {
            automatic: true,
            max_failed: 0,
            max_unhealthy: 0,
        }
    }
}

impl Judgement {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

impl GrayRelease {
    fn validate(&self, at: &Pointer<'_>, problems: &mut Problems) {
        if let Err(error) = Name::new(&self.name) {
            problems.add(at.field("name"), error);
        }
        self.rule.validate(&at.field("match"), problems);
        given_once(
            (&self.content, &self.content_base64),
            self.content_hash,
            at,
            problems,
        );
    }
}

/// Notes a content that is given twice.
fn given_once(
    (text, base64): (&Option<String>, &Option<String>),
    hash: Option<ContentHash>,
    at: &Pointer<'_>,
    problems: &mut Problems,
) {
    problems.check(
        text.is_none() || base64.is_none(),
        at.field("contentBase64"),
        "give content or contentBase64, not both",
    );
    problems.check(
        text.is_none() && base64.is_none() || hash.is_none(),
        at.field("contentHash"),
        "leave it out where content is given; the platform fills it in",
    );
}

impl Config {
    /// The most gray releases of a file at a time.
    pub const MAX_GRAY: usize = 8;

    /// The most values of a file that are sealed.
    pub const MAX_SEALED: usize = 256;
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
        let gray = self.gray.iter().filter_map(|gray| gray.content_hash);
        let mut blobs: Vec<_> = self
            .content_hash
            .into_iter()
            .chain(gray)
            .map(|hash| hash.0)
            .collect();
        blobs.sort_unstable();
        blobs.dedup();
        blobs
    }

    fn validate(&self, at: &Pointer<'_>, problems: &mut Problems) {
        let content = (&self.content, &self.content_base64);
        given_once(content, self.content_hash, at, problems);
        if let Some(schema) = &self.schema_ref {
            let at = at.field("schemaRef");
            match ConfigName::parse(schema) {
                Err(error) => problems.add(at, error),
                Ok(name) => problems.check(
                    name.is_schema(),
                    at,
                    "the name of a schema ends with .schema.json, .schema.yaml or .schema.yml",
                ),
            }
        }
        problems.check(
            self.sealed.len() <= Self::MAX_SEALED,
            at.field("sealed"),
            format_args!("at most {}; seal what is around them", Self::MAX_SEALED),
        );
        for (n, pointer) in self.sealed.iter().enumerate() {
            problems.check(
                pointer.starts_with('/'),
                at.field("sealed").item(n),
                format_args!(
                    "{pointer:?} is not a JSON Pointer (RFC 6901): write /db/password, for instance"
                ),
            );
        }
        problems.check(
            self.gray.len() <= Self::MAX_GRAY,
            at.field("gray"),
            format_args!(
                "at most {} at a time; promote or abort one first",
                Self::MAX_GRAY
            ),
        );
        if let Some(approval) = &self.approval {
            approval.validate(&at.field("approval"), problems);
        }
        for (n, gray) in self.gray.iter().enumerate() {
            let at = at.field("gray");
            let at = at.item(n);
            gray.validate(&at, problems);
            let is_new = self.gray.iter().take(n).all(|one| one.name != gray.name);
            problems.check(is_new, at.field("name"), "another one has this name");
        }
    }
}
