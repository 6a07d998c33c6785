//! What a service's policy makes of a new contract, and who is concerned.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{BreakingChange, compare};
use crate::{
    document::{ServiceName, VersionName},
    registry::{ContractPolicy, Graph, ServiceEntry, ServiceVersion},
};

/// What the platform found when a version was registered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct VersionStatus {
    /// What breaks for consumers of the versions it was compared with.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub breaking: Vec<BreakingChange>,
    /// The versions that were live then and have a contract.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub compared_with: Vec<VersionName>,
    /// The services that said then that they depend on this one, if anything breaks.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub consumers: Vec<ServiceName>,
}

/// A contract that breaks its consumers, where the service's policy does not have that.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.explain())]
pub struct Refused(pub VersionStatus);

impl Refused {
    fn explain(&self) -> String {
        let VersionStatus {
            breaking,
            compared_with,
            consumers,
        } = &self.0;
        let names = |names: &[VersionName]| {
            names
                .iter()
                .map(VersionName::as_str)
                .collect::<Vec<_>>()
                .join(", ")
        };
        let who = match consumers
            .iter()
            .map(ServiceName::as_str)
            .collect::<Vec<_>>()
        {
            none if none.is_empty() => "no declared consumer, but perhaps others".to_owned(),
            some => some.join(", "),
        };
        let first = breaking.first().map_or_else(String::new, |change| {
            let place = if change.at.is_empty() {
                String::new()
            } else {
                format!("{}: ", change.at)
            };
            let more = match breaking.len() - 1 {
                0 => String::new(),
                n => format!(" (and {n} more)"),
            };
            format!(": {place}{}{more}", change.detail)
        });
        format!(
            "the contract breaks what the live version {} promises{first}; concerned: {who}; keep the old contract \
             beside the new one, or set the service's contractPolicy to Record",
            names(compared_with),
        )
    }
}

/// What `policy` makes of `changes`: the status to record, or a refusal that names the consumers.
pub fn verdict(
    policy: ContractPolicy,
    changes: Vec<BreakingChange>,
    compared_with: Vec<VersionName>,
    consumers: Vec<ServiceName>,
) -> Result<VersionStatus, Refused> {
    let breaks = !changes.is_empty();
    let consumers = if breaks { consumers } else { Vec::new() };
    let status = VersionStatus {
        breaking: changes,
        compared_with,
        consumers,
    };
    match policy {
        ContractPolicy::Ignore => Ok(VersionStatus::default()),
        ContractPolicy::Refuse if breaks => Err(Refused(status)),
        ContractPolicy::Refuse | ContractPolicy::Record => Ok(status),
    }
}

/// Judges the registration of `version` of the service `entry`, whose callers are `consumers`:
/// its contract is compared with those of all live versions, its own former one among them.
pub fn review(
    entry: &ServiceEntry,
    version: &VersionName,
    new: &ServiceVersion,
    consumers: Vec<ServiceName>,
) -> Result<VersionStatus, Refused> {
    let policy = entry.contract_policy();
    let (mut changes, mut compared_with) = (Vec::new(), Vec::new());
    if let (Some(contract), true) = (&new.contract, policy != ContractPolicy::Ignore) {
        for live in entry.live_versions() {
            let old = entry
                .versions
                .get(live)
                .and_then(|document| document.spec.contract.as_ref());
            // The same version registered again with the same contract is not news.
            let Some(old) = old.filter(|old| live != version || *old != contract) else {
                continue;
            };
            compared_with.push(live.clone());
            if old != contract {
                for change in compare(old, contract) {
                    if !changes.contains(&change) {
                        changes.push(change);
                    }
                }
            }
        }
    }
    verdict(policy, changes, compared_with, consumers)
}

/// The services that depend on `service`, in whatever way.
pub fn consumers(graph: &Graph, service: &str) -> Vec<ServiceName> {
    let names: BTreeSet<&ServiceName> = graph
        .edges_to(service)
        .map(|edge| &edge.from)
        .filter(|from| **from != *service)
        .collect();
    names.into_iter().cloned().collect()
}
