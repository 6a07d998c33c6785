//! What is known of a fleet's breakers and limits: a row for each reporter and machine.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Breaker, Limit, ReportedBy, Transition};
use crate::document::Timestamp;

/// A caller's breaker: `caller → target`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BreakerRow {
    /// Whose breaker it is.
    pub caller: ReportedBy,
    /// The breaker as it was last told.
    #[serde(flatten)]
    pub breaker: Breaker,
    /// Its latest transitions that were told, the oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub transitions: Vec<Transition>,
    /// When a change of it was last told.
    pub updated_at: Timestamp,
}

/// A caller's limit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LimitRow {
    /// Whose limit it is.
    pub caller: ReportedBy,
    /// The limit as it was last told.
    #[serde(flatten)]
    pub limit: Limit,
    /// When a change of it was last told.
    pub updated_at: Timestamp,
}

/// The fleet in numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct FleetStatistics {
    /// Gateways and service instances that report.
    pub reporters: usize,
    /// Their breakers that are obeyed.
    pub breakers: usize,
    /// Those by state (`OPEN`); states that none is in are left out.
    pub states: BTreeMap<String, usize>,
    /// Their limits that are obeyed.
    pub limits: usize,
    /// Rate limits that several of them hold to together, each counted once.
    pub shared_limits: usize,
    /// Breakers and limits that reporters had no room for.
    #[serde(skip_serializing_if = "is_none")]
    pub omitted: u64,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
fn is_none(count: &u64) -> bool {
    *count == 0
}
