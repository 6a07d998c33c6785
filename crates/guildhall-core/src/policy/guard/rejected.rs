//! A refusal that can be explained.

use std::{fmt, sync::Arc, time::Duration};

use guildhall_resilience::Pattern;

use crate::policy::effective::Source;

/// A request was turned away by a policy before it was sent: by which pattern of which policy, and when to come back.
///
/// ```
/// use guildhall_core::{document::Namespace, policy::{Source, guard::Rejected}};
/// use guildhall_resilience::Pattern;
/// use std::sync::Arc;
///
/// let rejected = Rejected {
///     by: Pattern::Bulkhead,
///     policy: Arc::new(Source::built_in(&Namespace::default())),
///     rule: None,
///     retry_after: None,
/// };
/// assert_eq!(rejected.to_string(), "rejected by bulkhead: the built-in defaults: try again later");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("rejected by {by}{}: {policy}: {}", Rule(.rule), NextMove(.retry_after))]
pub struct Rejected {
    /// The pattern that did it.
    pub by: Pattern,
    /// The most specific policy that has the pattern's section: the one to look at, and to edit.
    pub policy: Arc<Source>,
    /// The rule of it, where it has several: a rate limit's name.
    pub rule: Option<Arc<str>>,
    /// When a next try may get through; `None` if that cannot be told, as it depends on how long others take.
    pub retry_after: Option<Duration>,
}

struct Rule<'a>(&'a Option<Arc<str>>);

impl fmt::Display for Rule<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(rule) => write!(f, " {rule:?}"),
            None => Ok(()),
        }
    }
}

struct NextMove<'a>(&'a Option<Duration>);

impl fmt::Display for NextMove<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            // Up to the next millisecond: who comes at the time told is not too early.
            Some(after) => {
                let after = Duration::from_millis(after.as_micros().div_ceil(1000) as u64);
                write!(f, "try again in {after:?}")
            }
            None => f.write_str("try again later"),
        }
    }
}
