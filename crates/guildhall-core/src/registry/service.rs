//! A service as its operators describe it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Check;
use crate::document::{Kind, NameError, Pointer, Problems, Remedies, Remedy, ServiceName, Spec};

/// The operators' part of a service; what its code says stands in its versions.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Service {
    /// The name people read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// What the service is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The team or person who answers for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Words to filter by.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Anything else worth knowing.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
    /// Where to read on: dashboards, runbooks, repositories.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<Link>,
    /// Checks of every instance that brings none of its own.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<Check>,
    /// When at most this share of the instances (0 to 1) is healthy, discovery answers with all
    /// of them, flagged, rather than overload the few that are left. Absent or 0: off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protection_threshold: Option<f64>,
    /// What happens when a version breaks its consumers' contract.
    #[serde(skip_serializing_if = "ContractPolicy::is_default")]
    pub contract_policy: ContractPolicy,
}

/// A named address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Link {
    /// What one finds there.
    pub title: String,
    /// The address.
    pub url: String,
}

/// What happens when a version is registered whose contract breaks a live one's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ContractPolicy {
    /// Recorded in the version's status; registration goes on.
    #[default]
    Record,
    /// Registration is refused, naming the consumers that break.
    Refuse,
    /// Contracts are kept but not compared.
    Ignore,
}

impl ContractPolicy {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

impl Spec for Service {
    const KIND: Kind = Kind::Service;
    type Status = ();

    const UNKNOWN_WORDS: Remedies = &[
        ("/spec/checks/*/type", Remedy::Omit("/spec/checks/*")),
        (
            "/spec/checks/*/initialStatus",
            Remedy::Omit("/spec/checks/*/initialStatus"),
        ),
        ("/spec/contractPolicy", Remedy::Omit("/spec/contractPolicy")),
    ];

    fn check_name(name: &str) -> Result<(), NameError> {
        ServiceName::new(name).map(drop)
    }

    fn validate(&self, at: &Pointer<'_>, problems: &mut Problems) {
        if let Some(share) = self.protection_threshold {
            problems.check(
                (0.0..=1.0).contains(&share),
                at.field("protectionThreshold"),
                "a share from 0 to 1",
            );
        }
        Check::validate_all(&self.checks, &at.field("checks"), problems);
    }
}
