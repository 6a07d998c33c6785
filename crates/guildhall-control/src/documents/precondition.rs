//! On what a write depends.

/// What must hold for a write to be done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Precondition {
    /// Nothing: the last writer wins.
    #[default]
    None,
    /// The document stands at this revision (`If-Match: "42"`).
    Revision(u64),
    /// It is there (`If-Match: *`).
    Present,
    /// It is not there (`If-None-Match: *`).
    Absent,
}

impl Precondition {
    /// Whether a document at revision `current` (`None`: not there) is as asked.
    pub fn holds(self, current: Option<u64>) -> bool {
        match self {
            Self::None => true,
            Self::Revision(revision) => current == Some(revision),
            Self::Present => current.is_some(),
            Self::Absent => current.is_none(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_precondition_on_what_is_there_and_what_is_not() {
        let table = [
            (Precondition::None, true, true, true),
            (Precondition::Revision(5), true, false, false),
            (Precondition::Present, true, true, false),
            (Precondition::Absent, false, false, true),
        ];
        for (precondition, at_5, at_6, absent) in table {
            assert_eq!(precondition.holds(Some(5)), at_5, "{precondition:?}");
            assert_eq!(precondition.holds(Some(6)), at_6, "{precondition:?}");
            assert_eq!(precondition.holds(None), absent, "{precondition:?}");
        }
    }
}
