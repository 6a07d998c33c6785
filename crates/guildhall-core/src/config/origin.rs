//! Where what a reader gets was written: in which version of which file, and where in it.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};

use super::Position;

/// Where a layer comes from.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Source {
    /// The configuration: `service/environment/file`.
    pub config: String,
    /// Its version.
    pub version: u64,
    /// The gray release whose content it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gray: Option<String>,
}

impl fmt::Display for Source {
    /// `users/prod/app.yaml@3`, with `#blue` for a gray release.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.config, self.version)?;
        match &self.gray {
            Some(gray) => write!(f, "#{gray}"),
            None => Ok(()),
        }
    }
}

/// Where a value of the result was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The value, as a JSON Pointer: a scalar, a list as a whole, or an object without members.
    pub pointer: String,
    /// The layer.
    #[serde(flatten)]
    pub source: Arc<Source>,
    /// Where in the layer's text.
    #[serde(flatten)]
    pub position: Position,
}
