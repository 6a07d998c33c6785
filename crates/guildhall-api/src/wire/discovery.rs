//! The answer to a discovery.

use guildhall_core::document::{Index, Namespace, ServiceName};
use serde::{Deserialize, Serialize};

/// `GET …/services/{service}/instances`: whom to call.
///
/// `T` is an instance's document with its status: typed on the server, raw JSON while reading.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Discovery<T> {
    /// The service asked for.
    pub service: ServiceName,
    /// Where it lives.
    pub namespace: Namespace,
    /// The highest revision that touched the service's keys: give it as `index` to wait for the
    /// next change.
    pub index: Index,
    /// True if so few instances are healthy that all are given, healthy or not, to spread the
    /// load: the service's protection threshold.
    pub protected: bool,
    /// The instances that the query selects.
    pub instances: Vec<T>,
}
