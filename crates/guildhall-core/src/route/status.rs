//! What the platform reports about routes and gateways, in Gateway API's words.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::spec::ParentRef;
use crate::document::Timestamp;

/// The name under which Guildhall reports conditions.
pub const CONTROLLER: &str = "guildhall/gateway";

/// The status of an HTTPRoute: one entry per parent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HttpRouteStatus {
    /// In the order of the spec; one for the implicit Gateway if the spec names none.
    pub parents: Vec<ParentStatus>,
}

/// What became of a route at one parent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ParentStatus {
    /// The parent, as the spec names it.
    pub parent_ref: ParentRef,
    /// Who reports: [`CONTROLLER`].
    pub controller_name: Cow<'static, str>,
    /// `Accepted`, `ResolvedRefs` and, where rules are left out, `PartiallyInvalid`.
    pub conditions: Vec<Condition>,
}

/// The status of a Gateway.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GatewayStatus {
    /// `Accepted` and `Programmed`.
    pub conditions: Vec<Condition>,
    /// In the order of the spec.
    pub listeners: Vec<ListenerStatus>,
}

/// The status of one listener.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ListenerStatus {
    /// The listener's name.
    pub name: String,
    /// How many routes it serves.
    pub attached_routes: u32,
    /// `Accepted`, `Programmed`.
    pub conditions: Vec<Condition>,
}

/// One thing that holds or does not, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// What is told about.
    #[serde(rename = "type")]
    pub condition_type: ConditionType,
    /// Whether it holds.
    pub status: ConditionStatus,
    /// The revision of the document that this is about.
    #[serde(default)]
    pub observed_generation: u64,
    /// Since when, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_transition_time: Option<Timestamp>,
    /// Why, in one word of Gateway API's.
    pub reason: Cow<'static, str>,
    /// Why, for people: which field, and what to do.
    #[serde(default)]
    pub message: String,
}

/// What a condition tells about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ConditionType {
    /// The document is valid here and served.
    Accepted,
    /// Everything it names is there and may be used.
    ResolvedRefs,
    /// Part of it is left out.
    PartiallyInvalid,
    /// The data plane has it.
    Programmed,
    /// Another policy of the same target wins some of its fields.
    Conflicted,
}

/// Whether a condition holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ConditionStatus {
    /// It holds.
    True,
    /// It does not.
    False,
    /// Nobody can tell.
    Unknown,
}

impl Condition {
    /// A condition about `revision` of a document.
    pub(crate) fn new(
        condition_type: ConditionType,
        holds: bool,
        reason: &'static str,
        message: impl Into<String>,
        revision: u64,
    ) -> Self {
        let status = if holds {
            ConditionStatus::True
        } else {
            ConditionStatus::False
        };
        Self {
            condition_type,
            status,
            observed_generation: revision,
            last_transition_time: None,
            reason: Cow::Borrowed(reason),
            message: message.into(),
        }
    }
}
