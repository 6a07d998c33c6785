//! Keeps this instance registered while the service runs.
//!
//! - [`documents`]: pure: what is registered.
//! - [`task`]: registers, beats, registers again when the platform lost it, deregisters at the end.

mod documents;
mod task;

pub(crate) use documents::{Documents, Health};
pub(crate) use task::Registrar;

/// How a service stands with the platform.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Registration {
    /// It runs without a platform.
    #[default]
    Standalone,
    /// It is not registered; it is being tried.
    Trying {
        /// Why the last attempt failed.
        error: Option<String>,
    },
    /// It is registered.
    Registered,
    /// It was taken out, because the service stops.
    Deregistered,
}
