//! The task that keeps a configuration current: what is good gets in force, what is not is reported.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use bytes::Bytes;
use guildhall_api::{
    client::{Client, ConfigItem, ConfigReader, ConfigStream},
    wire::ConfigEvent,
};
use guildhall_core::{
    config::{Format, Sight, Source},
    document::DocumentKey,
};
use serde::de::DeserializeOwned;

use super::{Owner, Shared, builder::Recipe, copy::Copy};
use crate::{clock, identity::Identity};

/// How long a report that did not arrive is tried again.
const AGAIN: Duration = Duration::from_secs(1);

/// What the platform gave.
#[derive(Clone, Debug)]
pub(super) struct Given {
    pub(super) tag: Arc<str>,
    pub(super) format: Format,
    pub(super) inputs: Vec<Arc<Source>>,
    pub(super) bytes: Bytes,
    /// What is seen of sealed values.
    pub(super) sealed: Option<Sight>,
}

impl Given {
    /// What an event tells; `None`, said in the log, if that cannot be read.
    pub(super) fn of(event: ConfigEvent) -> Option<Self> {
        match event.bytes() {
            Ok(bytes) => Some(Self {
                tag: event.tag,
                format: event.format,
                inputs: event.inputs,
                sealed: event.sealed,
                bytes,
            }),
            Err(error) => {
                tracing::warn!(%error, "a configuration is passed over");
                None
            }
        }
    }

    /// The event that tells it.
    pub(super) fn event(&self) -> ConfigEvent {
        let event = ConfigEvent {
            tag: Arc::clone(&self.tag),
            format: self.format,
            inputs: self.inputs.clone(),
            sealed: self.sealed,
            content: None,
            content_base64: None,
        };
        event.with_content(&self.bytes)
    }

    /// What it is made of.
    pub(super) fn versions(&self) -> Vec<String> {
        self.inputs.iter().map(|input| input.to_string()).collect()
    }
}

pub(super) struct Follow<T> {
    pub(super) client: Client,
    pub(super) key: DocumentKey,
    pub(super) recipe: Recipe<T>,
    pub(super) sight: Sight,
    pub(super) copy: Option<Copy>,
    pub(super) shared: Weak<Shared<T>>,
    pub(super) owner: Owner,
    /// What is in force.
    pub(super) applied: Option<Given>,
}

/// What the platform is to be told of a configuration.
struct Report {
    tag: Arc<str>,
    outcome: Result<(), String>,
    due: tokio::time::Instant,
}

impl<T: DeserializeOwned> Follow<T> {
    /// Runs until the configuration is dropped.
    pub(super) async fn run(mut self) {
        let mut identity = self.owner.identity.borrow_and_update().clone();
        let mut known = identity.is_some();
        let mut stream = self.stream(identity.as_ref());
        let mut report = self.outcome(Ok(()));
        loop {
            let due = report
                .as_ref()
                .filter(|_| identity.is_some())
                .map(|report| report.due);
            tokio::select! {
                told = stream.next() => match told {
                    Ok(ConfigItem::Config(event)) => {
                        let Some(given) = Given::of(event) else { continue };
                        match self.apply(given) {
                            Some(told) => report = Some(told),
                            None => return,
                        }
                    }
                    Ok(ConfigItem::Problem(problem)) => {
                        tracing::warn!(config = %self.key.name, problem = %problem.detail, "there is no configuration any more; the last one stays");
                    }
                    Err(error) => {
                        tracing::debug!(config = %self.key.name, %error, "the configuration is not followed at the moment");
                        // Whoever answers next may know nothing of this listener.
                        report = report.or_else(|| self.outcome(Ok(())));
                    }
                },
                changed = self.owner.identity.changed(), if !known => {
                    // It starts; or it is gone without having started.
                    known = true;
                    if changed.is_err() {
                        continue;
                    }
                    identity = self.owner.identity.borrow_and_update().clone();
                    stream = self.stream(identity.as_ref());
                }
                () = until(due) => {
                    if let (Some(told), Some(identity)) = (&mut report, &identity) {
                        let said = self
                            .client
                            .report_config(&self.key, identity.id.as_str(), &told.tag, told.outcome.clone())
                            .await;
                        match said {
                            Ok(()) => report = None,
                            Err(error) if error.is_retryable() => told.due = now() + AGAIN,
                            Err(error) => {
                                tracing::debug!(config = %self.key.name, %error, "what became of the configuration cannot be reported");
                                report = None;
                            }
                        }
                    }
                }
            }
        }
    }

    fn stream(&self, identity: Option<&Arc<Identity>>) -> ConfigStream {
        let reader = identity.map(|identity| ConfigReader {
            instance: identity.id.to_string(),
            zone: self.owner.zone.clone(),
            ..ConfigReader::default()
        });
        let known = self.applied.as_ref().map(|given| given.tag.to_string());
        self.client
            .watch_config(&self.key, reader.as_ref(), self.sight, known)
    }

    /// What is to be told of what is in force.
    fn outcome(&self, outcome: Result<(), String>) -> Option<Report> {
        let tag = Arc::clone(&self.applied.as_ref()?.tag);
        Some(Report {
            tag,
            outcome,
            due: now(),
        })
    }

    /// Puts what was given in force, if it is good; what is to be told of that, or `None` if nobody wants it any more.
    fn apply(&mut self, given: Given) -> Option<Report> {
        let shared = self.shared.upgrade()?;
        let versions = given.versions();
        let made = self.recipe.make(Some(&given));
        let report = |outcome| Report {
            tag: Arc::clone(&given.tag),
            outcome,
            due: now(),
        };
        match made {
            Ok(made) => {
                tracing::info!(config = %self.recipe.config, versions = versions.join(", "), "a new configuration is in force");
                shared.current.store(Arc::new(made));
                shared.version.send_modify(|version| {
                    version.number += 1;
                    version.tag = given.tag.to_string();
                    version.inputs = versions;
                    version.refused = None;
                });
                if let Some(copy) = &self.copy {
                    copy.write(&given);
                }
                let report = report(Ok(()));
                self.applied = Some(given);
                Some(report)
            }
            Err(why) => {
                tracing::error!(config = %self.recipe.config, versions = versions.join(", "), why, "a configuration is refused; the last good one stays");
                shared
                    .version
                    .send_modify(|version| version.refused = Some(why.clone()));
                Some(report(Err(why)))
            }
        }
    }
}

fn now() -> tokio::time::Instant {
    clock::now().into()
}

async fn until(due: Option<tokio::time::Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}
