//! Who this process is.

use std::time::Instant;

use guildhall_core::document::{InstanceId, Namespace, ServiceName, VersionName};

/// Who this process is.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) namespace: Namespace,
    pub(crate) service: ServiceName,
    pub(crate) version: VersionName,
    pub(crate) id: InstanceId,
    pub(crate) started: Instant,
}
