//! What is known of an instance that reads a configuration.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Source;
use crate::document::Timestamp;

/// What became of the configuration that an instance was sent last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ListenerState {
    /// It has said nothing of it yet.
    #[default]
    Pending,
    /// It runs it.
    Applied,
    /// It could not apply it; it goes on with what it ran before.
    Failed,
}

/// A configuration that an instance was sent, or runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Running {
    /// Its tag.
    pub tag: Arc<str>,
    /// What it is made of, the most general first; empty if this process did not send it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inputs: Vec<Arc<Source>>,
    /// Since when.
    pub since: Timestamp,
}

/// An instance that reads a configuration, as the platform sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ListenerRow {
    /// Its id.
    pub instance: String,
    /// Whether it watches at the moment.
    pub connected: bool,
    /// What it was sent last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent: Option<Running>,
    /// What became of that.
    pub state: ListenerState,
    /// Why it could not be applied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What it said last that it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub running: Option<Running>,
}

impl ListenerState {
    /// As on the wire.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Applied => "applied",
            Self::Failed => "failed",
        }
    }
}
