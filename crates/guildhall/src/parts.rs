//! What the parts of a running service share.

use crate::{health::Checks, metrics::Metrics, phase::Phases};

/// What the parts of a running service share.
pub(crate) struct Parts {
    pub(crate) phases: Phases,
    pub(crate) checks: Checks,
    pub(crate) metrics: Metrics,
}
