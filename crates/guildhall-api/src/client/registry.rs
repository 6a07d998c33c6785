//! Calls on the registry.

use std::{collections::BTreeMap, time::Duration};

use guildhall_core::{
    document::{Document, Index, InstanceId, Namespace, Object, ServiceName},
    registry::Instance,
};
use serde_json::value::RawValue;

use super::{Client, ClientError, PutOptions, Written, answer::Answer, call::Call};
use crate::wire::{Discovery, HeartbeatAnswer, MaintenanceBody, ReportBody, Timeline, path};

/// Which of a service's instances are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DiscoverQuery {
    /// Also those that are not healthy.
    pub unhealthy: bool,
    /// Those that have all of these tags.
    pub tags: Vec<String>,
    /// Those of this zone.
    pub zone: Option<String>,
    /// Those of this region.
    pub region: Option<String>,
    /// Those of this version.
    pub version: Option<String>,
    /// Those with all of these metadata.
    pub metadata: BTreeMap<String, String>,
    /// Those of this zone first, others only if there are none.
    pub near: Option<String>,
}

impl DiscoverQuery {
    fn parameters(&self) -> path::QueryString {
        let mut query = path::QueryString::default();
        if self.unhealthy {
            query.add("healthy", false);
        }
        for tag in &self.tags {
            query.add("tag", tag);
        }
        query.add_some("zone", self.zone.as_deref());
        query.add_some("region", self.region.as_deref());
        query.add_some("version", self.version.as_deref());
        for (key, value) in &self.metadata {
            query.add(&format!("metadata.{key}"), value);
        }
        query.add_some("near", self.near.as_deref());
        query
    }
}

/// What a long poll waits for: a change after `since`, for at most `wait`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Changed {
    /// The index of the last answer.
    pub since: Index,
    /// How long the server may wait; it caps it.
    pub wait: Duration,
}

impl Client {
    /// Registers an instance, or says again what it is. Creates the service if nobody defined it.
    pub async fn register(&self, instance: &Object<Instance>) -> Result<Written, ClientError> {
        self.put(&Document::from(instance.clone()), PutOptions::default())
            .await
    }

    /// Registers an instance under an id that the server makes up; the id is the name of the
    /// document in the answer.
    pub async fn register_unnamed(
        &self,
        namespace: &Namespace,
        instance: &Instance,
    ) -> Result<Written, ClientError> {
        let body = serde_json::json!({"spec": instance});
        let call = Call::post(path::instances(namespace, &instance.service)).json(&body)?;
        self.call(call).await?.written()
    }

    /// Takes an instance out of the registry.
    pub async fn deregister(
        &self,
        namespace: &Namespace,
        service: &ServiceName,
        id: &InstanceId,
    ) -> Result<Index, ClientError> {
        self.call(Call::delete(path::instance(namespace, service, id)))
            .await?
            .written_index()
    }

    /// Says that an instance is alive: passes its TTL checks. `not-found` means: register again.
    pub async fn heartbeat(
        &self,
        namespace: &Namespace,
        service: &ServiceName,
        id: &InstanceId,
    ) -> Result<HeartbeatAnswer, ClientError> {
        self.call(Call::put(path::heartbeat(namespace, service, id)))
            .await?
            .json()
    }

    /// Reports the result of one of an instance's checks.
    pub async fn report(
        &self,
        namespace: &Namespace,
        service: &ServiceName,
        id: &InstanceId,
        check: &str,
        report: &ReportBody,
    ) -> Result<(), ClientError> {
        let call = Call::put(path::check(namespace, service, id, check)).json(report)?;
        self.call(call).await.map(drop)
    }

    /// Takes an instance out of traffic, or lets it back.
    pub async fn maintenance(
        &self,
        namespace: &Namespace,
        service: &ServiceName,
        id: &InstanceId,
        body: &MaintenanceBody,
    ) -> Result<(), ClientError> {
        let call = Call::put(path::maintenance(namespace, service, id)).json(body)?;
        self.call(call).await.map(drop)
    }

    /// When and why an instance changed its health.
    pub async fn timeline(
        &self,
        namespace: &Namespace,
        service: &ServiceName,
        id: &InstanceId,
    ) -> Result<Timeline, ClientError> {
        self.call(Call::get(path::timeline(namespace, service, id)))
            .await?
            .json()
    }

    /// Whom to call: a service's instances that `query` selects.
    pub async fn discover(
        &self,
        namespace: &Namespace,
        service: &ServiceName,
        query: &DiscoverQuery,
    ) -> Result<Discovery<Document>, ClientError> {
        let call = Call::get(path::instances(namespace, service)).query(query.parameters());
        discovery(&self.call(call).await?)
    }

    /// Like [`Client::discover`], but the server answers only once the service has changed, or
    /// the wait is over. A platform that was restored answers at once.
    pub async fn discover_changed(
        &self,
        namespace: &Namespace,
        service: &ServiceName,
        query: &DiscoverQuery,
        changed: Changed,
    ) -> Result<Discovery<Document>, ClientError> {
        let mut parameters = query.parameters();
        parameters.add("index", changed.since);
        parameters.add("wait", guildhall_core::document::Period(changed.wait));
        // The server may add a sixteenth of jitter.
        let wait = changed.wait + changed.wait / 8;
        let call = Call::get(path::instances(namespace, service))
            .query(parameters)
            .wait(wait);
        discovery(&self.call(call).await?)
    }
}

fn discovery(answer: &Answer) -> Result<Discovery<Document>, ClientError> {
    let raw: Discovery<Box<RawValue>> = answer.json()?;
    Ok(Discovery {
        service: raw.service,
        namespace: raw.namespace,
        index: raw.index,
        protected: raw.protected,
        instances: answer.documents(&raw.instances)?,
    })
}
