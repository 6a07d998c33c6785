//! What is said about an instance: heartbeats, check results, maintenance.

use guildhall_core::{
    document::{Period, Timestamp},
    registry::{CheckState, Health, MaintenanceMode},
};
use serde::{Deserialize, Serialize};

/// The answer to `PUT …/heartbeat`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HeartbeatAnswer {
    /// The instance's health as last published; a transition that this heartbeat causes is
    /// committed, and told to watchers, a moment later.
    pub health: Health,
    /// Since when.
    pub since: Timestamp,
    /// The shortest TTL among its checks: beat well within it. Absent if none of its checks waits
    /// for heartbeats.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<Period>,
}

/// The body of `PUT …/checks/{check}`: a result that somebody else found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReportBody {
    /// `passing`, `warning` or `critical`.
    pub state: CheckState,
    /// What the check printed; cut at 4 KiB.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub output: String,
}

/// The body of `PUT …/maintenance`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MaintenanceBody {
    /// True takes the instance out of traffic, false lets it back.
    pub enabled: bool,
    /// `maintenance` (out, whatever its checks say) or `draining` (on its way out).
    #[serde(default)]
    pub mode: MaintenanceMode,
    /// For whoever wonders; shown in the status.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
}
