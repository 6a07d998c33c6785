//! How much a request matters.

/// How much a request matters, after Google's classes (Site Reliability Engineering, chapter 21), which callers pass on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Criticality {
    /// May be shed often: batch work, prefetching.
    Sheddable,
    /// May be shed now and then and comes again: background refreshes.
    SheddablePlus,
    /// What users wait for; the default.
    #[default]
    Critical,
    /// Only the most important: payments, sign-in, health.
    CriticalPlus,
}

impl Criticality {
    /// All, the least critical first.
    pub const ALL: [Self; 4] = [
        Self::Sheddable,
        Self::SheddablePlus,
        Self::Critical,
        Self::CriticalPlus,
    ];

    /// Its name, as it stands in headers, metrics and documents.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sheddable => "sheddable",
            Self::SheddablePlus => "sheddable-plus",
            Self::Critical => "critical",
            Self::CriticalPlus => "critical-plus",
        }
    }

    /// The one with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.name() == name)
    }

    pub(super) const fn rank(self) -> usize {
        self as usize
    }
}
