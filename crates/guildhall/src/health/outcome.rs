//! What a check says.

use std::fmt::Display;

use serde::Serialize;
use serde_json::Value;

/// What a check says. Made from a `bool`, from a `Result`, or in full.
///
/// ```
/// use guildhall::CheckOutcome;
///
/// assert!(CheckOutcome::from(true).healthy);
/// let failed: Result<(), std::io::Error> = Err(std::io::ErrorKind::TimedOut.into());
/// assert_eq!(CheckOutcome::from(failed).error.as_deref(), Some("timed out"));
/// let full = CheckOutcome::healthy().with_details(serde_json::json!({"connections": 7}));
/// assert!(full.healthy);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CheckOutcome {
    /// Whether all is well.
    pub healthy: bool,
    /// What is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Anything worth knowing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub details: Option<Value>,
}

impl CheckOutcome {
    /// All is well.
    pub fn healthy() -> Self {
        Self {
            healthy: true,
            error: None,
            details: None,
        }
    }

    /// Something is wrong.
    pub fn unhealthy(error: impl Display) -> Self {
        Self {
            healthy: false,
            error: Some(error.to_string()),
            details: None,
        }
    }

    /// The same with details.
    pub fn with_details(mut self, details: Value) -> Self {
        self.details = Some(details);
        self
    }
}

impl From<bool> for CheckOutcome {
    fn from(healthy: bool) -> Self {
        if healthy {
            Self::healthy()
        } else {
            Self::unhealthy("the check says no")
        }
    }
}

impl<E: Display> From<Result<(), E>> for CheckOutcome {
    fn from(result: Result<(), E>) -> Self {
        result.map_or_else(Self::unhealthy, |()| Self::healthy())
    }
}
