//! What is wrong with a configuration, and what to write instead.

/// A configuration that cannot be: which field, and the next move.
///
/// Configurations are checked when they are made, so that a state machine never holds an invalid one.
///
/// ```
/// use guildhall_resilience::limiter::Quota;
/// use std::time::Duration;
///
/// let error = Quota::new(0, Duration::from_secs(1)).unwrap_err();
/// assert_eq!(error.to_string(), "limit: must be at least 1; to refuse everything, take the route away");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {remedy}")]
pub struct ConfigError {
    /// The field, as the configuration's type names it.
    pub field: &'static str,
    /// What it may be.
    pub remedy: &'static str,
}

impl ConfigError {
    /// `Err` unless the field is as it should be.
    pub(crate) fn unless(
        valid: bool,
        field: &'static str,
        remedy: &'static str,
    ) -> Result<(), Self> {
        if valid {
            Ok(())
        } else {
            Err(Self { field, remedy })
        }
    }
}
