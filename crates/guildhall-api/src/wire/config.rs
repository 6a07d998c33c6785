//! Configuration, as the API tells it to those who read it.

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use guildhall_core::config::{Format, ListenerRow, ListenerState, Origin, Sight, Source};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::sse;

/// The event of a watch that carries a configuration; its id is the tag, with which the watch is taken up again.
pub const CONFIG_EVENT: &str = "config";
/// The event of a watch that says why there is none; its data is a [`Problem`](super::Problem).
pub const PROBLEM_EVENT: &str = "problem";

/// What files laid over each other come to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConfigEvent {
    /// Covers every input.
    pub tag: Arc<str>,
    /// How the content is written.
    pub format: Format,
    /// What it is made of, the most general first.
    pub inputs: Vec<Arc<Source>>,
    /// What is seen of sealed values; absent where nothing is sealed. Whatever is revealed is not for a disk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealed: Option<Sight>,
    /// The content, where it is text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    /// The content in Base64, where it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_base64: Option<String>,
}

/// `GET …/effective?origins=true`: the values, and where each was written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConfigOrigins {
    /// Covers every input.
    pub tag: Arc<str>,
    /// How the content is written.
    pub format: Format,
    /// What it is made of, the most general first.
    pub inputs: Vec<Arc<Source>>,
    /// What is seen of sealed values; absent where nothing is sealed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealed: Option<Sight>,
    /// The values; absent where the format has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
    /// Where each value was written.
    pub origins: Vec<Origin>,
}

/// A content that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("contentBase64 of a configuration is not Base64: {0}")]
pub struct ConfigEventError(#[from] base64::DecodeError);

impl ConfigEvent {
    /// The same with this content.
    pub fn with_content(self, content: &[u8]) -> Self {
        match std::str::from_utf8(content) {
            Ok(text) => Self {
                content: Some(text.to_owned()),
                ..self
            },
            Err(_) => Self {
                content_base64: Some(STANDARD.encode(content)),
                ..self
            },
        }
    }

    /// The content's bytes.
    ///
    /// # Errors
    /// It is not Base64 where it should be.
    pub fn bytes(&self) -> Result<Bytes, ConfigEventError> {
        match (&self.content, &self.content_base64) {
            (Some(text), _) => Ok(Bytes::from(text.clone())),
            (None, Some(base64)) => Ok(STANDARD.decode(base64)?.into()),
            (None, None) => Ok(Bytes::new()),
        }
    }
}

/// `GET …/listeners`: who reads a file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListenerList {
    /// By instance.
    pub items: Vec<ListenerRow>,
}

/// The body of `PUT …/listeners/{instance}`: what became of a configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListenerReport {
    /// Which configuration.
    pub tag: String,
    /// `applied` or `failed`.
    pub state: ListenerState,
    /// Why it could not be applied; the first 4 KiB are kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Writes a configuration as it stands in a stream.
///
/// # Errors
/// It cannot be written as JSON: a defect.
pub fn encode_config(event: &ConfigEvent) -> Result<Vec<u8>, serde_json::Error> {
    let mut frame = Vec::new();
    let data = serde_json::to_vec(event)?;
    sse::encode(CONFIG_EVENT, Some(&event.tag), &data, &mut frame);
    Ok(frame)
}
