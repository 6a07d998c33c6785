//! `GET /api/v1/status`: how the platform is.

use guildhall_core::{
    document::{Index, Timestamp},
    policy::report::FleetStatistics,
    registry::Statistics,
};
use serde::{Deserialize, Serialize};

/// The platform in one answer.
///
/// `R` is the registry's statistics; readers that pass them on unread take [`serde_json::Value`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Status<R = Statistics> {
    /// The platform's own version.
    pub version: String,
    /// Whether it takes calls and what it waits for if not.
    pub ready: bool,
    /// When this process started.
    pub started_at: Timestamp,
    /// When this was written.
    pub timestamp: Timestamp,
    /// Each role that runs in this process.
    pub roles: Vec<RoleStatus>,
    /// Where the snapshot stands; absent on a node that has none yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<Index>,
    /// The control store; absent on a node without the control role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store: Option<StoreStatus>,
    /// Counts of services and instances.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub registry: Option<R>,
    /// Breakers and limits that gateways and SDKs reported here; absent on a node without the control role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fleet: Option<FleetStatistics>,
    /// The process's resident memory, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resident_bytes: Option<u64>,
}

/// One role of the process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RoleStatus {
    /// `control`, `gateway`, ….
    pub name: String,
    /// Whether it does its work.
    pub healthy: bool,
    /// What is wrong, or anything else worth knowing; empty if nothing is.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// Where it listens.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<String>,
}

/// The control store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StoreStatus {
    /// The engine's name.
    pub engine: String,
    /// Why it refuses writes; absent while it takes them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_only: Option<String>,
    /// What its files take, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk_bytes: Option<u64>,
}
