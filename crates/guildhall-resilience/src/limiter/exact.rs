//! Limits that several processes count together: what is asked of whoever counts for them, and what it answers.
//!
//! Pure. The feature `redis` has one who counts, `limiter::redis`.

use std::sync::Arc;

use super::{Allowed, Limited, Quota};

/// May one request pass a limit that is counted for several processes?
///
/// ```
/// use guildhall_resilience::limiter::{Quota, exact::Ask};
///
/// let ask = Ask::new("checkout", Quota::per_second(100)?).with_key("10.0.0.9");
/// assert_eq!(ask.key.as_deref(), Some("10.0.0.9"));
/// # Ok::<(), guildhall_resilience::ConfigError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// The limit's name: everyone who says the same one shares its count.
    pub count: Arc<str>,
    /// What it counts by: each key has the quota for itself. Without one, all requests share it.
    pub key: Option<String>,
    /// How much it lets through.
    pub quota: Quota,
}

impl Ask {
    /// A limit that all requests share.
    pub fn new(count: impl Into<Arc<str>>, quota: Quota) -> Self {
        Self {
            count: count.into(),
            key: None,
            quota,
        }
    }

    /// One that each key has for itself.
    #[must_use]
    pub fn with_key(self, key: impl Into<String>) -> Self {
        Self {
            key: Some(key.into()),
            ..self
        }
    }
}

/// What came of asking several limits at once: all of them were taken from, each with what is left of it, in the order
/// in which they were asked; or one refused, and none was taken from.
pub type Answer = Result<Vec<Allowed>, Over>;

/// One of several limits refused; none of them counted the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{limited}")]
pub struct Over {
    /// Which, in the order in which they were asked: the first that refused.
    pub at: usize,
    /// Its refusal.
    pub limited: Limited,
}
