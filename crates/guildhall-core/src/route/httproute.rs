//! Gateway API's HTTPRoute.

use serde::{Deserialize, Serialize};

use crate::document::{Kind, Pointer, Problems, Spec};

/// Routes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct HttpRoute {}

impl Spec for HttpRoute {
    const KIND: Kind = Kind::HttpRoute;
    type Status = serde_json::Value;
    fn validate(&self, _at: &Pointer<'_>, _problems: &mut Problems) {}
}
