//! The versions of a document: what is known of each, which there are, and where the store keeps them.
//!
//! Pure. Every change of a document that [keeps its history](crate::document::Kind::keeps_history)
//! is a [`Version`], numbered 1, 2, 3 … per document and never rewritten; [`Head`] knows which
//! there are and decides which are given up. The keys lie outside the watched ones. Who writes
//! them, and in which transaction, is the control plane's (docs/design/history.md).

mod diff;
mod head;
mod version;

use crate::document::DocumentKey;

pub use diff::{Change, changes, changes_of};
pub use head::{Head, MAX_TAGS, TagError, check_tag};
pub use version::{Act, MAX_COMMENT, Provenance, Version, VersionRef, comment};

/// The prefix of the keys that hold versions.
pub const ENTRIES: &str = "past/entry/";
/// The prefix of the keys that hold what is known of a document's versions together.
pub const HEADS: &str = "past/head/";

/// The store's key of one version. Keys of one document are in the order of its versions.
pub fn entry_key(key: &DocumentKey, version: u32) -> String {
    let DocumentKey {
        kind,
        namespace,
        name,
    } = key;
    format!(
        "{ENTRIES}{}/{namespace}/{name}/{version:010}",
        kind.plural()
    )
}

/// The store's key of the document's [`Head`].
pub fn head_key(key: &DocumentKey) -> String {
    let DocumentKey {
        kind,
        namespace,
        name,
    } = key;
    format!("{HEADS}{}/{namespace}/{name}", kind.plural())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::{Kind, Namespace};

    #[test]
    fn keys_lie_outside_what_is_watched_and_in_order() {
        let key = DocumentKey::new(Kind::Policy, Namespace::default(), "calm");
        assert_eq!(
            entry_key(&key, 7),
            "past/entry/policies/default/calm/0000000007"
        );
        assert_eq!(head_key(&key), "past/head/policies/default/calm");
        assert!(entry_key(&key, 9) < entry_key(&key, 10));
        assert!(entry_key(&key, u32::MAX) > entry_key(&key, 999_999_999));
    }
}
