//! A position in the history of all documents, as clients see it.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// `incarnation.revision`: comparable only within one incarnation.
///
/// The store's revision grows by one with each transaction; its incarnation changes when a
/// snapshot is restored, so that a client with an index of the lost history is told at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Index {
    /// Which history of the store the revision belongs to.
    pub incarnation: u64,
    /// The store's revision in that history; the first is 1.
    pub revision: u64,
}

/// Text that is not an index.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an index: write incarnation.revision, as a Guildhall-Index header gives it")]
pub struct IndexError(String);

impl Index {
    /// Whether whoever has seen `self` has seen everything up to `other`.
    pub fn covers(self, other: Index) -> bool {
        self.incarnation == other.incarnation && self.revision >= other.revision
    }
}

impl fmt::Display for Index {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.incarnation, self.revision)
    }
}

impl FromStr for Index {
    type Err = IndexError;

    fn from_str(text: &str) -> Result<Self, IndexError> {
        let parts = text.split_once('.').and_then(|(incarnation, revision)| {
            Some(Self {
                incarnation: incarnation.parse().ok()?,
                revision: revision.parse().ok()?,
            })
        });
        parts.ok_or_else(|| IndexError(text.to_owned()))
    }
}

impl Serialize for Index {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Index {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_reads_back_and_refuses_other_text() {
        let index = Index {
            incarnation: 7,
            revision: 42,
        };
        assert_eq!(index.to_string().parse(), Ok(index));
        for bad in ["", "42", "a.b", "7.", "-1.2", "7.42.1"] {
            assert!(bad.parse::<Index>().is_err(), "{bad}");
        }
    }
}
