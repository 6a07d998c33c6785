//! What the platform reports about a policy, in Gateway API's words (GEP-713's policy status).

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::{
    compile,
    effective::Policies,
    spec::{Mode, Policy, TargetRef},
    target::Target,
};
use crate::{
    document::Metadata,
    route::{Condition, ConditionType},
};

/// The name under which Guildhall reports conditions of policies.
pub const CONTROLLER: &str = "guildhall/policy";

/// The status of a policy: one entry per target.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PolicyStatus {
    /// In the order of the spec.
    pub ancestors: Vec<AncestorStatus>,
}

/// What became of a policy at one target.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AncestorStatus {
    /// The target, as the spec names it.
    pub ancestor_ref: TargetRef,
    /// Who reports: [`CONTROLLER`].
    pub controller_name: Cow<'static, str>,
    /// `Accepted`; `Conflicted` where another policy of the target wins a field; `PartiallyInvalid` where a section
    /// cannot be what the fields of several policies make of it.
    pub conditions: Vec<Condition>,
}

impl Policies {
    /// The status of a policy beside all others; `exists` says whether a target is there.
    pub fn status(
        &self,
        metadata: &Metadata,
        policy: &Policy,
        exists: impl Fn(&Target) -> bool,
    ) -> PolicyStatus {
        let ancestors = policy.target_refs.iter().map(|reference| AncestorStatus {
            ancestor_ref: reference.clone(),
            controller_name: Cow::Borrowed(CONTROLLER),
            conditions: self.conditions(metadata, policy, reference, &exists),
        });
        PolicyStatus {
            ancestors: ancestors.collect(),
        }
    }

    fn conditions(
        &self,
        metadata: &Metadata,
        policy: &Policy,
        reference: &TargetRef,
        exists: &impl Fn(&Target) -> bool,
    ) -> Vec<Condition> {
        let condition = |condition_type, holds, reason, message: String| {
            Condition::new(condition_type, holds, reason, message, metadata.revision)
        };
        let accepted = |holds, reason, message| {
            vec![condition(ConditionType::Accepted, holds, reason, message)]
        };
        let Some(target) = Target::of(reference, &metadata.namespace) else {
            let message = format!(
                "a policy applies to its own namespace: name {:?}, or put it into {:?}",
                metadata.namespace.as_str(),
                reference.name
            );
            return accepted(false, "Invalid", message);
        };
        if !exists(&target) {
            let message = format!("there is no {target}; the policy applies once there is");
            return accepted(false, "TargetNotFound", message);
        }
        let message = match policy.mode {
            Mode::Enforce => "",
            Mode::DryRun => "mode is DryRun: what it would do is counted beside what happens",
            Mode::Off => "mode is Off: it does nothing",
        };
        let mut conditions = accepted(true, "Accepted", message.to_owned());
        if policy.mode == Mode::Off {
            return conditions;
        }
        let resolved = self.resolve_targets(std::slice::from_ref(&target));
        let effective = match policy.mode {
            Mode::DryRun => resolved.dry_run.unwrap_or_default(),
            _ => resolved.enforced,
        };
        let lost = effective
            .conflicts
            .iter()
            .filter(|conflict| conflict.loser.policy == metadata.name);
        let lost: Vec<String> = lost
            .map(|conflict| format!("{}: {} holds", conflict.field, conflict.winner))
            .collect();
        if !lost.is_empty() {
            let message = format!(
                "{}; among policies of one target the older wins, then the first by name",
                lost.join("; ")
            );
            conditions.push(condition(
                ConditionType::Conflicted,
                true,
                "Conflicted",
                message,
            ));
        }
        let (_, unfit) = compile::compile(&effective);
        let unfit: Vec<String> = unfit
            .iter()
            .filter(|problem| {
                problem
                    .sources
                    .iter()
                    .any(|source| source.policy == metadata.name)
            })
            .map(ToString::to_string)
            .collect();
        if !unfit.is_empty() {
            conditions.push(condition(
                ConditionType::PartiallyInvalid,
                true,
                "Invalid",
                unfit.join("; "),
            ));
        }
        conditions
    }
}
