//! Calls on files of configuration.

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;
use guildhall_core::config::{GrayRelease, ListenerState, Sight};
use guildhall_core::document::DocumentKey;
use guildhall_core::history::VersionRef;
use http::{HeaderName, HeaderValue, StatusCode, header};

use super::{Client, ClientError, PutOptions, Written, call::Call, documents::prepared};
use super::{answer::Answer, stream::EventStream};
use crate::wire::{
    CONFIG_EVENT, ConfigEvent, ConfigOrigins, ListenerList, ListenerReport, PROBLEM_EVENT, Problem,
    header as names, path,
};

/// Who reads a configuration: gray releases are told apart by it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConfigReader {
    /// The instance's id.
    pub instance: String,
    /// The zone it runs in; that of its registration if absent.
    pub zone: Option<String>,
    /// Its labels, over those of its registration.
    pub labels: BTreeMap<String, String>,
}

/// What files laid over each other come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EffectiveConfig {
    /// Covers every input.
    pub tag: String,
    /// The bytes.
    pub content: Bytes,
    /// How they are written.
    pub media_type: String,
    /// Which versions it is made of, the most general first: `users/prod/app.yaml@3`.
    pub versions: Vec<String>,
    /// What is seen of sealed values; `None`: nothing in it is sealed.
    pub sealed: Option<Sight>,
}

/// What a [`ConfigStream`] tells.
#[derive(Clone, Debug, PartialEq)]
pub enum ConfigItem {
    /// A configuration that is another one than that before.
    Config(ConfigEvent),
    /// There is none at present, and why.
    Problem(Box<Problem>),
}

impl Client {
    /// The bytes of a file, live or as a version had them.
    pub async fn content(
        &self,
        key: &DocumentKey,
        version: Option<&VersionRef>,
        sight: Sight,
    ) -> Result<Bytes, ClientError> {
        let mut query = seen(sight);
        query.add_some(
            "version",
            version.map(|version| match version {
                VersionRef::Number(number) => number.to_string(),
                VersionRef::Tag(tag) => tag.clone(),
            }),
        );
        let call = Call::get(path::content(key)).query(query);
        Ok(self.call(call).await?.body)
    }

    /// Releases a content; what else the document says stays. `media_type` tells the format of a new file whose name
    /// does not.
    pub async fn release_content(
        &self,
        key: &DocumentKey,
        content: Bytes,
        media_type: Option<&str>,
        options: &PutOptions,
    ) -> Result<Written, ClientError> {
        let mut call = Call::put(path::content(key));
        call.body = content;
        if let Some(media_type) = media_type {
            call = call.header(header::CONTENT_TYPE, media_type)?;
        }
        self.call(prepared(call, options)?).await?.written()
    }

    /// Seals the values of a file anew, with the platform's current key: those that another one sealed.
    pub async fn reseal_config(
        &self,
        key: &DocumentKey,
        options: &PutOptions,
    ) -> Result<Written, ClientError> {
        let call = Call::post(path::reseal(key));
        self.call(prepared(call, options)?).await?.written()
    }

    /// What a file comes to for those who read it.
    pub async fn effective_config(
        &self,
        key: &DocumentKey,
        reader: Option<&ConfigReader>,
        sight: Sight,
    ) -> Result<EffectiveConfig, ClientError> {
        let call = Call::get(path::effective_config(key)).query(asked_by(reader, sight));
        effective(self.call(call).await?)
    }

    /// The values that a file comes to, and where each was written.
    pub async fn config_origins(
        &self,
        key: &DocumentKey,
        reader: Option<&ConfigReader>,
        sight: Sight,
    ) -> Result<ConfigOrigins, ClientError> {
        let mut query = asked_by(reader, sight);
        query.add("origins", true);
        let call = Call::get(path::effective_config(key)).query(query);
        self.call(call).await?.json()
    }

    /// Waits until what a file comes to is not what is named `tag`; `None` if nothing changed within `wait`.
    pub async fn changed_config(
        &self,
        key: &DocumentKey,
        reader: Option<&ConfigReader>,
        sight: Sight,
        tag: &str,
        wait: Duration,
    ) -> Result<Option<EffectiveConfig>, ClientError> {
        let mut query = asked_by(reader, sight);
        query.add("wait", format_args!("{}ms", wait.as_millis()));
        let call = Call::get(path::effective_config(key))
            .query(query)
            .wait(wait);
        let call = call.header(header::IF_NONE_MATCH, &format!("\"{tag}\""))?;
        let answer = self.call(call).await?;
        match answer.status {
            StatusCode::NOT_MODIFIED => Ok(None),
            _ => effective(answer).map(Some),
        }
    }

    /// Watches what a file comes to: now, unless that is named `known`, and whenever it changes.
    pub fn watch_config(
        &self,
        key: &DocumentKey,
        reader: Option<&ConfigReader>,
        sight: Sight,
        known: Option<String>,
    ) -> ConfigStream {
        let mut query = asked_by(reader, sight);
        query.add("watch", true);
        ConfigStream {
            stream: EventStream::new(self.clone()),
            call: Call::get(path::effective_config(key)).query(query),
            known,
        }
    }

    /// Who reads a file, what they were sent and what became of it.
    pub async fn config_listeners(&self, key: &DocumentKey) -> Result<ListenerList, ClientError> {
        self.call(Call::get(path::listeners(key))).await?.json()
    }

    /// Says what became of the configuration named `tag` in the instance `instance`: it runs it, or why it could not
    /// apply it.
    pub async fn report_config(
        &self,
        key: &DocumentKey,
        instance: &str,
        tag: &str,
        outcome: Result<(), String>,
    ) -> Result<(), ClientError> {
        let report = ListenerReport {
            tag: tag.to_owned(),
            state: match outcome {
                Ok(()) => ListenerState::Applied,
                Err(_) => ListenerState::Failed,
            },
            error: outcome.err(),
        };
        let call = Call::put(path::listener(key, instance)).json(&report)?;
        self.call(call).await.map(drop)
    }

    /// Begins a gray release of a file, or replaces the one of its name.
    pub async fn start_gray(
        &self,
        key: &DocumentKey,
        release: &GrayRelease,
        options: &PutOptions,
    ) -> Result<Written, ClientError> {
        let call = Call::put(path::gray(key, &release.name)).json(release)?;
        self.call(prepared(call, options)?).await?.written()
    }

    /// Makes the content of a gray release the file's, and ends it.
    pub async fn promote_gray(
        &self,
        key: &DocumentKey,
        name: &str,
        options: &PutOptions,
    ) -> Result<Written, ClientError> {
        let call = Call::post(format!("{}/promote", path::gray(key, name)));
        self.call(prepared(call, options)?).await?.written()
    }

    /// Takes a gray release back.
    pub async fn abort_gray(
        &self,
        key: &DocumentKey,
        name: &str,
        options: &PutOptions,
    ) -> Result<Written, ClientError> {
        let call = Call::delete(path::gray(key, name));
        self.call(prepared(call, options)?).await?.written()
    }
}

pub(super) fn seen(sight: Sight) -> path::QueryString {
    let mut query = path::QueryString::default();
    query.add_some("reveal", (sight == Sight::Revealed).then_some(true));
    query
}

fn asked_by(reader: Option<&ConfigReader>, sight: Sight) -> path::QueryString {
    let mut query = seen(sight);
    if let Some(reader) = reader {
        query.add("instance", &reader.instance);
        query.add_some("zone", reader.zone.as_deref());
        for (key, value) in &reader.labels {
            query.add("label", format_args!("{key}={value}"));
        }
    }
    query
}

fn effective(answer: Answer) -> Result<EffectiveConfig, ClientError> {
    let header = |name: HeaderName| {
        let value = answer.headers.get(&name);
        let value = value.and_then(|value| value.to_str().ok());
        value.ok_or_else(|| answer.malformed(format_args!("a configuration without {name}")))
    };
    let tag = header(header::ETAG)?.trim_matches('"').to_owned();
    let versions = header(names::CONFIG)?
        .split(", ")
        .map(str::to_owned)
        .collect();
    let sealed = match answer.headers.get(names::SEALED).map(HeaderValue::as_bytes) {
        None => None,
        Some(b"revealed") => Some(Sight::Revealed),
        // Of what is not known nothing is taken for a secret that was shown.
        Some(_) => Some(Sight::Masked),
    };
    Ok(EffectiveConfig {
        sealed,
        tag,
        versions,
        media_type: header(header::CONTENT_TYPE)?.to_owned(),
        content: answer.body,
    })
}

/// A watch over a configuration that takes itself up again where it broke off.
///
/// Each error is told, and asking again tries again after a while; who wants to give up stops asking.
#[derive(Debug)]
pub struct ConfigStream {
    stream: EventStream,
    call: Call,
    /// The tag of what was told last.
    known: Option<String>,
}

impl ConfigStream {
    /// Waits for the next configuration. Cancel-safe.
    pub async fn next(&mut self) -> Result<ConfigItem, ClientError> {
        loop {
            if self.stream.server().is_none() {
                let call = self.call.clone();
                self.stream.connect(call, self.known.as_deref()).await?;
            }
            while let Some(frame) = self.stream.buffered() {
                self.stream.works();
                let read = match frame.event.as_str() {
                    CONFIG_EVENT => serde_json::from_str(&frame.data).map(ConfigItem::Config),
                    PROBLEM_EVENT => serde_json::from_str(&frame.data).map(ConfigItem::Problem),
                    // A newer server's.
                    _ => continue,
                };
                match read {
                    Ok(item) => {
                        self.known = match &item {
                            ConfigItem::Config(config) => Some(config.tag.to_string()),
                            ConfigItem::Problem(_) => None,
                        };
                        return Ok(item);
                    }
                    Err(error) => tracing::warn!(%error, "an event of the watch is passed over"),
                }
            }
            self.stream.read().await?;
        }
    }
}
