//! What is known of a document's versions together: which there are, and which have names.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::VersionRef;
use crate::document::{Name, NameError, Timestamp};

/// The most tags of one document.
pub const MAX_TAGS: usize = 64;

/// How many versions one write gives up at most: it bounds a transaction when fewer are to be kept than were.
const TRIM: usize = 32;

/// Which versions a document has.
///
/// Those from `oldest` to `last`, and before them those with a tag.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Head {
    /// The newest version; 0 before the first. Where the document is there, this is it.
    pub last: u32,
    /// From here on none is missing.
    pub oldest: u32,
    /// Names of versions, which are never given up.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, u32>,
    /// When the document was deleted, if it is not there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted_at: Option<Timestamp>,
}

/// Why a version does not get a tag.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TagError {
    /// The tag is no name.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The tag would be read as a version.
    #[error("{0:?} is a number, as versions are; give a tag a letter")]
    Number(String),
    /// There is no such version.
    #[error("there is no version {0}")]
    Missing(u32),
    /// As many tags as there may be.
    #[error("the document has {MAX_TAGS} tags, which is the most there may be; remove one first")]
    TooMany,
}

impl Head {
    /// Adds a version and answers its number.
    pub fn push(&mut self) -> u32 {
        self.last = self.last.saturating_add(1);
        self.oldest = self.oldest.max(1);
        self.last
    }

    /// Gives up all but the last `keep` versions (one at least), as far as they have no tag; at most so many
    /// that one write can remove them, the rest with the next ones. Answers those to remove.
    pub fn trim(&mut self, keep: u32) -> Vec<u32> {
        let first_kept = self.last.saturating_sub(keep.max(1) - 1).max(1);
        let mut given_up = Vec::new();
        while self.oldest < first_kept && given_up.len() < TRIM {
            if !self.is_tagged(self.oldest) {
                given_up.push(self.oldest);
            }
            self.oldest += 1;
        }
        given_up
    }

    /// Whether there is this version.
    pub fn has(&self, version: u32) -> bool {
        (self.oldest.max(1)..=self.last).contains(&version) || self.is_tagged(version)
    }

    /// The versions there are before `before` (`None`: all), the newest first.
    pub fn versions(&self, before: Option<u32>) -> impl Iterator<Item = u32> {
        let before = before.unwrap_or(u32::MAX);
        let tagged: BTreeSet<u32> = self.tags.values().copied().collect();
        let tagged = tagged.into_iter().rev();
        let oldest = self.oldest.max(1);
        (oldest..=self.last)
            .rev()
            .chain(tagged.filter(move |version| *version < oldest))
            .filter(move |version| *version < before)
    }

    /// The number of the version that is meant, if it is there.
    pub fn find(&self, version: &VersionRef) -> Option<u32> {
        match version {
            VersionRef::Number(number) => self.has(*number).then_some(*number),
            VersionRef::Tag(tag) => self.tags.get(tag).copied(),
        }
    }

    /// The tags of a version.
    pub fn tags_of(&self, version: u32) -> Vec<String> {
        let named = self.tags.iter().filter(|(_, named)| **named == version);
        named.map(|(tag, _)| tag.clone()).collect()
    }

    /// Names a version, perhaps in place of another. Answers the version that is to be removed
    /// because only its tag kept it.
    ///
    /// # Errors
    /// [`TagError`].
    pub fn tag(&mut self, tag: &str, version: u32) -> Result<Option<u32>, TagError> {
        check_tag(tag)?;
        if !self.has(version) {
            return Err(TagError::Missing(version));
        }
        if self.tags.len() >= MAX_TAGS && !self.tags.contains_key(tag) {
            return Err(TagError::TooMany);
        }
        let before = self.tags.insert(tag.to_owned(), version);
        Ok(before.filter(|before| !self.has(*before)))
    }

    /// Takes a name away. `None`: there is no such tag. Answers the version that is to be removed
    /// because only this tag kept it.
    pub fn untag(&mut self, tag: &str) -> Option<Option<u32>> {
        let before = self.tags.remove(tag)?;
        Some(Some(before).filter(|before| !self.has(*before)))
    }

    fn is_tagged(&self, version: u32) -> bool {
        self.tags.values().any(|tagged| *tagged == version)
    }
}

/// Whether `tag` can name a version: a name that is no number.
///
/// # Errors
/// [`TagError::Name`], [`TagError::Number`].
pub fn check_tag(tag: &str) -> Result<(), TagError> {
    Name::new(tag)?;
    match tag.bytes().all(|byte| byte.is_ascii_digit()) {
        true => Err(TagError::Number(tag.to_owned())),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn versions(head: &Head) -> Vec<u32> {
        head.versions(None).collect()
    }

    #[test]
    fn the_oldest_go_and_the_tagged_stay_until_their_last_tag_goes() {
        let mut head = Head::default();
        assert_eq!(versions(&head), Vec::<u32>::new());
        for number in 1..=5 {
            assert_eq!(head.push(), number);
        }
        head.tag("good", 1).unwrap();
        head.tag("best", 1).unwrap();
        assert_eq!(head.trim(2), [2, 3]);
        assert_eq!(versions(&head), [5, 4, 1]);
        assert_eq!(head.versions(Some(4)).collect::<Vec<_>>(), [1]);
        let find = |word: &str| head.find(&word.parse().unwrap());
        assert_eq!((find("1"), find("2")), (Some(1), None));
        assert_eq!((find("good"), find("bad")), (Some(1), None));
        assert_eq!(head.tags_of(1), ["best", "good"]);
        assert_eq!(head.untag("good"), Some(None));
        // The tag moves on; nothing keeps the first version any more.
        assert_eq!(head.tag("best", 5), Ok(Some(1)));
        assert_eq!(head.untag("best"), Some(None));
        assert_eq!(head.untag("best"), None);
        assert_eq!(versions(&head), [5, 4]);
    }

    #[test]
    fn what_is_no_tag_is_refused() {
        let mut head = Head::default();
        head.push();
        assert_eq!(head.tag("a", 2), Err(TagError::Missing(2)));
        assert_eq!(head.tag("7", 1), Err(TagError::Number("7".to_owned())));
        assert!(matches!(head.tag("a b", 1), Err(TagError::Name(_))));
        for number in 0..MAX_TAGS {
            assert_eq!(head.tag(&format!("t{number}"), 1), Ok(None));
        }
        assert_eq!(head.tag("more", 1), Err(TagError::TooMany));
        assert_eq!(head.tag("t7", 1), Ok(None));
    }

    #[test]
    fn a_smaller_bound_is_reached_in_steps() {
        let mut head = Head::default();
        for _ in 0..100 {
            head.push();
        }
        assert!(head.trim(100).is_empty());
        let steps: Vec<usize> = (0..4).map(|_| head.trim(10).len()).collect();
        assert_eq!(steps, [TRIM, TRIM, 26, 0]);
    }

    #[derive(Clone, Debug)]
    enum Step {
        Push(u32),
        Tag(u8, u32),
        Untag(u8),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => (1..6_u32).prop_map(Step::Push),
            2 => (0..4_u8, 1..40_u32).prop_map(|(tag, version)| Step::Tag(tag, version)),
            1 => (0..4_u8).prop_map(Step::Untag),
        ]
    }

    proptest! {
        /// Entries are removed exactly when the head no longer has them, and never the last or a tagged one.
        #[test]
        fn what_is_there_is_what_the_head_says(steps in prop::collection::vec(step(), 0..60)) {
            let (mut head, mut there) = (Head::default(), BTreeSet::new());
            for step in steps {
                match step {
                    Step::Push(keep) => {
                        there.insert(head.push());
                        for version in head.trim(keep) {
                            prop_assert!(there.remove(&version));
                        }
                        prop_assert!(there.contains(&head.last));
                    }
                    Step::Tag(tag, version) => {
                        let existed = there.contains(&version);
                        match head.tag(&format!("t{tag}"), version) {
                            Ok(removed) => {
                                prop_assert!(existed);
                                prop_assert!(removed.is_none_or(|removed| there.remove(&removed)));
                            }
                            Err(error) => prop_assert_eq!((error, existed), (TagError::Missing(version), false)),
                        }
                    }
                    Step::Untag(tag) => {
                        if let Some(Some(removed)) = head.untag(&format!("t{tag}")) {
                            prop_assert!(there.remove(&removed));
                        }
                    }
                }
                let expected: Vec<u32> = there.iter().rev().copied().collect();
                prop_assert_eq!(versions(&head), expected);
                prop_assert!(head.tags.values().all(|tagged| there.contains(tagged)));
            }
        }
    }
}
