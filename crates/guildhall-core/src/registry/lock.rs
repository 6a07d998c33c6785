//! A lock: held through a lease, fenced by a token that only grows.

use serde::{Deserialize, Serialize};

use crate::document::{Kind, Period, Pointer, Problems, Spec, Timestamp};

/// What a lock is for; who holds it stands in its status.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Lock {
    /// What the lock guards.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// How long an acquisition lasts unless renewed; 15 s if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl: Option<Period>,
}

/// Who holds a lock.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LockStatus {
    /// The holder, while there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub holder: Option<LockHolder>,
}

/// One acquisition of a lock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LockHolder {
    /// Who acquired it, as the holder calls itself.
    pub owner: String,
    /// The fencing token: greater than that of every earlier acquisition.
    pub token: u64,
    /// When it was acquired.
    pub acquired_at: Timestamp,
    /// How long it lasts without a renewal.
    pub ttl: Period,
}

impl Spec for Lock {
    const KIND: Kind = Kind::Lock;
    type Status = LockStatus;

    fn validate(&self, at: &Pointer<'_>, problems: &mut Problems) {
        let ttl = self.ttl.unwrap_or(Period::secs(15));
        let allowed = Period::millis(100)..=Period::secs(24 * 3600);
        problems.check(allowed.contains(&ttl), at.field("ttl"), "from 100ms to 24h");
    }
}
