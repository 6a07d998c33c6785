//! What the platform observes about an instance.

use serde::{Deserialize, Serialize};

use crate::document::Timestamp;

/// Whether an instance is to be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Health {
    /// No check has answered yet.
    #[default]
    Starting,
    /// Every check passes.
    Healthy,
    /// Used, but some check warns.
    Warning,
    /// Some check is critical.
    Unhealthy,
    /// Finishing what it has; nothing new is sent.
    Draining,
    /// Taken out by an operator.
    Maintenance,
}

impl Health {
    /// Whether traffic is sent to such an instance: healthy or warning.
    pub fn is_used(self) -> bool {
        matches!(self, Self::Healthy | Self::Warning)
    }
}

/// What one check last said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CheckState {
    /// It has not answered yet.
    Starting,
    /// All is well.
    Passing,
    /// Well enough to be used.
    Warning,
    /// Not to be used.
    Critical,
}

/// The status of an instance. Only transitions are written.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct InstanceStatus {
    /// The verdict over all checks, maintenance included.
    pub health: Health,
    /// Since when.
    pub since: Timestamp,
    /// One entry per check, in the spec's order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<CheckStatus>,
    /// Set while an operator holds the instance out of traffic.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub maintenance: Option<Maintenance>,
}

/// The status of one check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CheckStatus {
    /// The check's name.
    pub name: String,
    /// What it says.
    pub state: CheckState,
    /// Since when.
    pub since: Timestamp,
    /// What it printed at the transition, at most 4 KiB.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub output: String,
}

/// Why and since when an instance is held out of traffic.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Maintenance {
    /// Whether it finishes what it has or is simply out.
    #[serde(default)]
    pub mode: MaintenanceMode,
    /// What the operator said.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// The principal that asked for it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub by: String,
}

/// How an instance is held out of traffic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MaintenanceMode {
    /// Out, whatever its checks say.
    #[default]
    Maintenance,
    /// On its way out: requests under way finish.
    Draining,
}
