//! When and why an instance changed its health.

use guildhall_core::{
    document::{InstanceId, Namespace, ServiceName},
    registry::TimelineEntry,
};
use serde::{Deserialize, Serialize};

/// `GET …/timeline`: the last 100 transitions, the oldest first.
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
