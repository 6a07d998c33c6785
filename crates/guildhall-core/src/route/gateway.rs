//! Gateway API's Gateway.

use serde::{Deserialize, Serialize};

use crate::document::{Kind, Pointer, Problems, Spec};

/// Listeners.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Gateway {}

impl Spec for Gateway {
    const KIND: Kind = Kind::Gateway;
    type Status = serde_json::Value;
    fn validate(&self, _at: &Pointer<'_>, _problems: &mut Problems) {}
}
