//! What is asked of a lock. The answer is core's
//! [`LockHolder`](guildhall_core::registry::LockHolder), with the fencing token.

use guildhall_core::document::Period;
use serde::{Deserialize, Serialize};

/// The body of `POST …/locks/{name}/acquire`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AcquireLock {
    /// How the holder calls itself; shown to whoever waits.
    pub owner: String,
    /// How long it lasts without a renewal; the lock's own `ttl`, else 15 s, if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<Period>,
    /// How long to wait while somebody else holds it; 0 if absent: answer at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait: Option<Period>,
}

/// The body of `POST …/locks/{name}/renew` and `…/release`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LockToken {
    /// The fencing token that the acquisition answered.
    pub token: u64,
}
