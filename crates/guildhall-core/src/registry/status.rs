//! What the platform observes about an instance.

use serde::{Deserialize, Deserializer, Serialize};

use super::{
    Check, Instance, TimelineEntry,
    health::{Transition, clip},
};
use crate::document::Timestamp;

/// Whether an instance is to be used.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
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
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "exact")]
    pub checks: Vec<CheckStatus>,
    /// Set while an operator holds the instance out of traffic.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub maintenance: Option<Maintenance>,
}

impl InstanceStatus {
    /// Takes in that a check changed, and returns what to note in the instance's timeline, without
    /// its number. `None` if the instance no longer has the check.
    pub fn record(&mut self, transition: &Transition) -> Option<TimelineEntry> {
        let check = self
            .checks
            .iter_mut()
            .find(|check| check.name == *transition.check)?;
        check.state = transition.to;
        check.since = transition.at;
        check.output.clone_from(&transition.output);
        let from = self.judge(transition.at);
        Some(TimelineEntry {
            number: 0,
            at: transition.at,
            from,
            to: self.health,
            check: Some(transition.check.to_string()),
            state: Some(transition.to),
            output: transition.output.clone(),
        })
    }

    /// Takes in that an operator holds the instance out of traffic, or no longer does, and
    /// returns what to note in its timeline, without its number; `None` if nothing is new.
    pub fn hold(
        &mut self,
        maintenance: Option<Maintenance>,
        at: Timestamp,
    ) -> Option<TimelineEntry> {
        if self.maintenance == maintenance {
            return None;
        }
        let reason = maintenance
            .as_ref()
            .map_or("", |maintenance| clip(&maintenance.reason))
            .to_owned();
        self.maintenance = maintenance;
        let from = self.judge(at);
        Some(TimelineEntry {
            number: 0,
            at,
            from,
            to: self.health,
            check: None,
            state: None,
            output: reason,
        })
    }

    /// Makes the status fit the checks that the instance has now, in their order: those that it
    /// has by name stay as they stand, new ones begin, the others are left out. A status that fits
    /// is not touched.
    pub fn fit(&mut self, checks: &[Check], at: Timestamp) {
        let names = self.checks.iter().map(|check| check.name.as_str());
        if names.eq(checks.iter().map(|check| check.name.as_str())) {
            return;
        }
        let mut known = std::mem::take(&mut self.checks);
        let status = |check: &Check| match known.iter().position(|known| known.name == check.name) {
            Some(place) => known.swap_remove(place),
            None => CheckStatus::first(check, at),
        };
        self.checks = checks.iter().map(status).collect();
        self.judge(at);
    }

    /// Brings the verdict up to date, and returns what it was before.
    fn judge(&mut self, at: Timestamp) -> Health {
        let health = verdict(
            self.checks.iter().map(|check| check.state),
            self.maintenance.as_ref(),
        );
        let before = std::mem::replace(&mut self.health, health);
        if before != health {
            self.since = at;
        }
        before
    }
}

/// Decoding leaves room for four checks where mostly one is.
fn exact<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<CheckStatus>, D::Error> {
    let mut checks = Vec::deserialize(deserializer)?;
    checks.shrink_to_fit();
    Ok(checks)
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

impl CheckStatus {
    /// A check that has not answered yet.
    fn first(check: &Check, since: Timestamp) -> Self {
        Self {
            name: check.name.clone(),
            state: check.first_state(),
            since,
            output: String::new(),
        }
    }
}

/// Why and since when an instance is held out of traffic.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
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

/// The checks that decide about `instance`: its own, else its service's.
pub fn effective_checks<'a>(instance: &'a Instance, of_service: &'a [Check]) -> &'a [Check] {
    if instance.checks.is_empty() {
        of_service
    } else {
        &instance.checks
    }
}

/// The status of an instance about which nothing was observed yet.
///
/// Every check stands where it asks to start, at `starting` unless it says otherwise; an
/// instance without checks is healthy at once. Nothing of it needs to be stored, because it
/// follows from the documents.
pub fn derived(instance: &Instance, of_service: &[Check], since: Timestamp) -> InstanceStatus {
    let checks = effective_checks(instance, of_service);
    InstanceStatus {
        health: initial_health(checks),
        since,
        checks: checks
            .iter()
            .map(|check| CheckStatus::first(check, since))
            .collect(),
        maintenance: None,
    }
}

/// The health of an instance whose `checks` have not answered yet.
pub(super) fn initial_health(checks: &[Check]) -> Health {
    verdict(checks.iter().map(Check::first_state), None)
}

/// The health of an instance from what its checks say and what its operators want.
///
/// Operators come first; then the worst check decides, where not having answered is worse than
/// to warn and better than to fail. Without checks an instance is healthy.
pub fn verdict(
    checks: impl IntoIterator<Item = CheckState>,
    maintenance: Option<&Maintenance>,
) -> Health {
    match maintenance.map(|maintenance| maintenance.mode) {
        Some(MaintenanceMode::Maintenance) => return Health::Maintenance,
        Some(MaintenanceMode::Draining) => return Health::Draining,
        None => {}
    }
    let badness = |state: &CheckState| match state {
        CheckState::Passing => 0,
        CheckState::Warning => 1,
        CheckState::Starting => 2,
        CheckState::Critical => 3,
    };
    match checks.into_iter().max_by_key(badness) {
        None | Some(CheckState::Passing) => Health::Healthy,
        Some(CheckState::Warning) => Health::Warning,
        Some(CheckState::Starting) => Health::Starting,
        Some(CheckState::Critical) => Health::Unhealthy,
    }
}
