//! Drafts: releases that others approve before they are made. Pure: time and who acts are arguments.
//!
//! A draft is a whole document that is not live yet, so that whatever a release can change can be drafted. It never changes:
//! another content is another draft, which nobody has approved yet. It was made from a version of its file, and goes nowhere
//! once the file has another one: what was approved is the way from there.

use serde::{Deserialize, Serialize};

use super::Config;
use crate::document::{DocumentKey, Kind, Metadata, Namespace, Object, Spec, Timestamp};

/// The prefix of the keys that hold drafts; outside the watched ones.
pub const DRAFTS: &str = "draft/";

/// The store's key of a file's drafts, all of them in one value: whatever is done to one is a compare-and-set of all.
pub fn drafts_key(key: &DocumentKey) -> String {
    format!("{}{}", drafts_of(Some(&key.namespace)), key.name)
}

/// What the keys of a namespace's drafts begin with; those of all namespaces if there is none.
pub fn drafts_of(namespace: Option<&Namespace>) -> String {
    let plural = Kind::Config.plural();
    match namespace {
        Some(namespace) => format!("{DRAFTS}{plural}/{namespace}/"),
        None => format!("{DRAFTS}{plural}/"),
    }
}

/// A release that has not been made yet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Draft {
    /// Its number, among those of the file; none is given twice.
    pub id: u32,
    /// The file's version that it was made from; 0 if there was no file.
    pub base: u32,
    /// Who made it.
    pub author: String,
    /// When.
    pub created_at: Timestamp,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// The version that it goes back to, if it is a rollback.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<u32>,
    /// The release of another environment that it was promoted from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub promoted_from: Option<String>,
    /// Who approved it. Never the author, and nobody twice.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub approvals: Vec<Approved>,
    /// The document's metadata, without what the platform owns.
    pub metadata: Metadata,
    /// What it says. Its contents are kept as long as the draft is.
    pub spec: Config,
}

/// That somebody approved a draft.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approved {
    /// Who.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

/// A draft, and whether it can be released.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DraftRow {
    /// The draft.
    pub draft: Draft,
    /// How many approvals it takes at present.
    pub required: u32,
    /// Whether the file has been released since the draft was made: draft it anew.
    pub stale: bool,
}

/// The drafts of a file, as the store has them. The count stays when the last one has gone.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Drafts {
    /// The number of the one made last.
    pub last: u32,
    /// Those that are there, the oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub items: Vec<Draft>,
}

impl Draft {
    /// Which document it is to be.
    pub fn key(&self) -> DocumentKey {
        let Metadata {
            namespace, name, ..
        } = &self.metadata;
        DocumentKey::new(Kind::Config, namespace.clone(), &**name)
    }

    /// The document that it is to be.
    pub fn document(&self) -> Object<Config> {
        Object::new(self.metadata.clone(), self.spec.clone())
    }

    /// Whether the file has another version by now.
    pub fn is_stale(&self, live: Option<&Object<Config>>) -> bool {
        live.map_or(0, |live| live.metadata.version) != self.base
    }

    /// With what the file asks for at present.
    pub fn row(self, live: Option<&Object<Config>>) -> DraftRow {
        let required = |live: &Object<Config>| live.spec.takes(Some(&self.spec)).approvals;
        DraftRow {
            required: live.map_or(0, required),
            stale: self.is_stale(live),
            draft: self,
        }
    }
}

impl Drafts {
    /// Adds one under the next number, which it answers; `None` if there are `most` already.
    pub fn add(&mut self, draft: Draft, most: usize) -> Option<u32> {
        if self.items.len() >= most {
            return None;
        }
        self.last = self.last.saturating_add(1);
        self.items.push(Draft {
            id: self.last,
            ..draft
        });
        Some(self.last)
    }

    /// The draft of this number.
    pub fn find(&self, id: u32) -> Option<&Draft> {
        self.items.iter().find(|draft| draft.id == id)
    }

    /// All but the one of this number.
    #[must_use]
    pub fn without(&self, id: u32) -> Self {
        let mut left = self.clone();
        left.items.retain(|draft| draft.id != id);
        left
    }

    /// The same with a draft approved by `by`; whoever did so already does not count twice.
    #[must_use]
    pub fn approved(&self, id: u32, by: &str, at: Timestamp) -> Self {
        let mut all = self.clone();
        let draft = all.items.iter_mut().find(|draft| draft.id == id);
        let draft = draft.filter(|draft| draft.approvals.iter().all(|known| known.by != by));
        if let Some(draft) = draft {
            let by = by.to_owned();
            draft.approvals.push(Approved { by, at });
        }
        all
    }

    /// The contents that they name.
    pub fn blobs(&self) -> Vec<[u8; 32]> {
        let contents = self.items.iter().flat_map(|draft| draft.spec.blobs());
        let mut blobs: Vec<_> = contents.collect();
        blobs.sort_unstable();
        blobs.dedup();
        blobs
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Approval, ContentHash, GrayRelease};
    use crate::document::LIVE;

    fn draft(author: &str) -> Draft {
        let gray = GrayRelease {
            content_hash: Some(ContentHash([5; 32])),
            ..GrayRelease::default()
        };
        Draft {
            id: 0,
            base: 3,
            author: author.to_owned(),
            created_at: Timestamp(1),
            comment: None,
            to: None,
            promoted_from: None,
            approvals: Vec::new(),
            metadata: Metadata::named(Namespace::default(), "a/prod/b"),
            spec: Config {
                content_hash: Some(ContentHash([4; 32])),
                gray: vec![gray],
                ..Config::default()
            },
        }
    }

    #[test]
    fn nobody_approves_twice_and_no_number_comes_again() {
        let mut drafts = Drafts::default();
        assert_eq!(drafts.add(draft("anna"), 2), Some(1));
        assert_eq!(drafts.add(draft("bob"), 2), Some(2));
        assert_eq!(drafts.add(draft("bob"), 2), None, "as many as there may be");
        let at = Timestamp(2);
        let drafts = drafts
            .approved(1, "bob", at)
            .approved(1, "bob", Timestamp(3));
        let approvals = &drafts.find(1).unwrap().approvals;
        assert_eq!((approvals.len(), approvals[0].at), (1, at));
        assert_eq!(drafts.approved(9, "bob", at), drafts);
        let mut drafts = drafts.without(2);
        assert!(drafts.find(2).is_none());
        assert_eq!(drafts.add(draft("bob"), 2), Some(3));
        assert_eq!(drafts.blobs(), [[4; 32], [5; 32]]);
        let json = serde_json::to_string(&drafts).unwrap();
        assert_eq!(serde_json::from_str::<Drafts>(&json).unwrap(), drafts);
    }

    #[test]
    fn a_draft_holds_while_its_file_is_what_it_was_made_from() {
        let live = |version: u32| {
            let mut live = draft("anna").document();
            live.metadata.version = version;
            live.spec.content_hash = None;
            live.spec.approval = Some(Approval { required: 2 });
            live
        };
        let of_a_file = draft("anna");
        assert!(!of_a_file.is_stale(Some(&live(3))));
        assert!(of_a_file.is_stale(Some(&live(4))) && of_a_file.is_stale(None));
        let row = of_a_file.row(Some(&live(3)));
        assert_eq!((row.required, row.stale), (2, false));
        let new = Draft {
            base: 0,
            ..draft("anna")
        };
        assert!(!new.is_stale(None) && new.is_stale(Some(&live(1))));
        assert_eq!(new.row(None).required, 0);
    }

    #[test]
    fn drafts_are_not_watched() {
        let key = draft("anna").key();
        assert_eq!(drafts_key(&key), "draft/configs/default/a/prod/b");
        assert!(!drafts_key(&key).starts_with(LIVE));
        assert!(drafts_key(&key).starts_with(&drafts_of(None)));
    }
}
