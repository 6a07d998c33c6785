//! When and why an instance changed its health.

use guildhall_core::{
    document::{InstanceId, Namespace, ServiceName, Timestamp},
    registry::{CheckState, Health},
};
use serde::{Deserialize, Serialize};

/// `GET …/timeline`: the last 100 transitions, the newest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Timeline {
    /// The instance's service.
    pub service: ServiceName,
    /// Where it lives.
    pub namespace: Namespace,
    /// The instance.
    pub id: InstanceId,
    /// What happened to it.
    pub entries: Vec<TimelineEntry>,
}

/// One transition of an instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TimelineEntry {
    /// When.
    pub at: Timestamp,
    /// Its health before; absent on its registration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Health>,
    /// Its health after; absent on its deregistration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Health>,
    /// The check that moved it, if a check did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<String>,
    /// What that check says now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<CheckState>,
    /// Why, in words: the check's output, the operator's reason.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub output: String,
}
