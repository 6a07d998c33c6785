//! What is known of a fleet's breakers and limits.

use guildhall_core::{
    document::Index,
    policy::report::{BreakerRow, LimitRow},
};
use serde::{Deserialize, Serialize};

/// The answer to `GET …/breakers`: a row for each caller and target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BreakerList<R = BreakerRow> {
    /// By caller and target.
    pub items: Vec<R>,
    /// Where the list stands: what to ask with next time. It is the fleet's own, and says nothing about documents.
    pub index: Index,
}

/// The answer to `GET …/limits`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LimitList<R = LimitRow> {
    /// By caller.
    pub items: Vec<R>,
}
