//! What policies come to for requests on one way, as `GET …/policies/effective` tells it.

use std::collections::BTreeMap;

use guildhall_core::document::Namespace;
use guildhall_core::policy::spec::TargetKind;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The merged policies on a way, and where each field is from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EffectivePolicy {
    /// What policies on the way may target, the most specific first.
    pub targets: Vec<PolicyTarget>,
    /// What is enforced.
    pub enforced: MergedPolicy,
    /// What would be if every policy in `DryRun` were enforced, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dry_run: Option<MergedPolicy>,
    /// The sections that cannot be what the fields of several policies make of them: there only the most specific
    /// policy's fields hold.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<PolicyProblem>,
}

/// Policies merged field by field.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MergedPolicy {
    /// Where each field (`retry.attempts`) and each section (`retry`) comes from.
    pub origins: BTreeMap<String, FieldOrigin>,
    /// Fields that several policies of one target state.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conflicts: Vec<FieldConflict>,
    /// The sections, as in a policy's spec.
    #[serde(flatten)]
    pub sections: Map<String, Value>,
}

/// Where a field comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldOrigin {
    /// The policy whose value it is.
    #[serde(flatten)]
    pub source: PolicySource,
    /// The policies whose value it is not, the most specific first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub over: Vec<PolicySource>,
}

/// Two policies of one target state one field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldConflict {
    /// The field: `retry.attempts`.
    pub field: String,
    /// Whose value holds.
    pub winner: PolicySource,
    /// Whose does not.
    pub loser: PolicySource,
}

/// A policy, by the target through which it applies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PolicySource {
    /// Its namespace.
    pub namespace: Namespace,
    /// Its name.
    pub policy: String,
    /// Its revision.
    pub revision: u64,
    /// Its target.
    pub target: PolicyTarget,
    /// Whether it is only tried.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
}

/// What a policy attaches to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PolicyTarget {
    /// Its kind.
    pub kind: TargetKind,
    /// Its namespace.
    pub namespace: Namespace,
    /// Its name.
    pub name: String,
    /// A part of it: a listener, a rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub section_name: Option<String>,
}

/// A section whose fields contradict each other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyProblem {
    /// The section.
    pub section: String,
    /// The field, as a JSON Pointer into the spec.
    pub pointer: String,
    /// What is wrong, and what would be right.
    pub detail: String,
    /// The policies that have fields in the section.
    pub sources: Vec<PolicySource>,
}

impl std::fmt::Display for PolicyTarget {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.kind.word(), self.name)?;
        match &self.section_name {
            Some(section) => write!(f, " ({section})"),
            None => Ok(()),
        }
    }
}
