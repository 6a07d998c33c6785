//! A request was shed.

use std::time::Duration;

use super::Criticality;
use crate::{Pattern, Rejection};

/// A request was shed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("shed: there is too much to do for {} requests", criticality.name())]
pub struct Shed {
    /// How much it mattered.
    pub criticality: Criticality,
    /// When the pressure may be lower; `None` if that cannot be told.
    pub retry_after: Option<Duration>,
}

impl From<Shed> for Rejection {
    fn from(shed: Shed) -> Self {
        Self {
            by: Pattern::Shed,
            retry_after: shed.retry_after,
        }
    }
}
