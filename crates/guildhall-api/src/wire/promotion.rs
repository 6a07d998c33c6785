//! Promotion between environments, as the API takes and tells it.

use guildhall_core::config::Promotion;
use guildhall_core::history::VersionRef;
use serde::{Deserialize, Serialize};

/// The body of `POST …/configs/{service}/{environment}/{file}/promote`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PromoteBody {
    /// The environment that gets the content; `_` for what all share.
    pub to: String,
    /// Which version of the file, by its number or a tag; the live one if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<VersionRef>,
    /// Why; `Guildhall-Comment` says the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}

/// What became of what was to be promoted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PromotionList {
    /// File by file, by name.
    pub items: Vec<Promotion>,
}
