//! Which source answers.

use std::time::Duration;

use super::{Cause, Causes};
use crate::ConfigError;

/// Where an answer can come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The last good answer to the same request, if it is not too old.
    Cached {
        /// How old it may be.
        oldest: Duration,
    },
    /// Another service.
    Service,
    /// An answer that is always the same.
    Static,
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Answer with what was kept.
    Cached {
        /// How old it is.
        age: Duration,
    },
    /// Ask the other service; if it fails too, go on with [`FallbackPlan::after_service`].
    Service,
    /// Answer with what is always the same.
    Static,
    /// Hand the failure on.
    Pass(NoFallback),
}

/// Why there is no other answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoFallback {
    /// The plan does not stand in for this, or none could.
    Cause(Cause),
    /// Nothing was kept, and there is no other source.
    NothingKept,
    /// What was kept is too old, and there is no other source.
    TooOld {
        /// How old it is.
        age: Duration,
        /// How old it may be.
        oldest: Duration,
    },
    /// The other service failed too, and nothing stands behind it.
    ServiceFailed,
}

/// Sources in the order in which they are tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FallbackPlan {
    sources: Box<[Source]>,
    causes: Causes,
}

impl FallbackPlan {
    /// These sources, for what [`Causes::default`] has.
    ///
    /// # Errors
    /// If there is none, one is named twice, or one stands behind a static answer, which always answers.
    pub fn new(sources: impl IntoIterator<Item = Source>) -> Result<Self, ConfigError> {
        let sources: Box<[Source]> = sources.into_iter().collect();
        ConfigError::unless(!sources.is_empty(), "sources", "must name at least one")?;
        let kinds = |source: &Source| std::mem::discriminant(source);
        let repeated = (1..sources.len())
            .any(|at| (sources[..at].iter()).any(|source| kinds(source) == kinds(&sources[at])));
        ConfigError::unless(!repeated, "sources", "must name each kind once at most")?;
        let static_before_others = sources
            .iter()
            .position(|source| *source == Source::Static)
            .is_some_and(|at| at + 1 < sources.len());
        ConfigError::unless(
            !static_before_others,
            "sources",
            "must end with the static answer: nothing behind it is ever tried",
        )?;
        Ok(Self {
            sources,
            causes: Causes::default(),
        })
    }

    /// The same for these causes. One that is [final](Cause::is_final) is never stood in for.
    #[must_use]
    pub fn with_causes(self, causes: Causes) -> Self {
        Self { causes, ..self }
    }

    /// Whether good answers are to be kept, and how long they are of use.
    pub fn keeps(&self) -> Option<Duration> {
        self.sources.iter().find_map(|source| match source {
            Source::Cached { oldest } => Some(*oldest),
            _ => None,
        })
    }

    /// Whether it stands in for this at all.
    pub fn covers(&self, cause: Cause) -> bool {
        self.causes.contains(cause) && !cause.is_final()
    }

    /// The first source that can answer. `kept` is the age of the last good answer, if there is one.
    pub fn begin(&self, cause: Cause, kept: Option<Duration>) -> Step {
        if !self.covers(cause) {
            return Step::Pass(NoFallback::Cause(cause));
        }
        self.first_of(&self.sources, kept, NoFallback::NothingKept)
    }

    /// The first one behind the other service, which failed too.
    pub fn after_service(&self, kept: Option<Duration>) -> Step {
        let behind = self
            .sources
            .iter()
            .position(|source| *source == Source::Service)
            .map_or(&[][..], |at| &self.sources[at + 1..]);
        self.first_of(behind, kept, NoFallback::ServiceFailed)
    }

    fn first_of(&self, sources: &[Source], kept: Option<Duration>, mut why: NoFallback) -> Step {
        for source in sources {
            match (*source, kept) {
                (Source::Service, _) => return Step::Service,
                (Source::Static, _) => return Step::Static,
                (Source::Cached { oldest }, Some(age)) if age <= oldest => {
                    return Step::Cached { age };
                }
                (Source::Cached { oldest }, Some(age)) => why = NoFallback::TooOld { age, oldest },
                (Source::Cached { .. }, None) => {}
            }
        }
        Step::Pass(why)
    }
}
