//! Calls on the registry.

use std::time::Duration;

use guildhall_core::{
    document::{Document, Index, InstanceId, Namespace, Object, ServiceName},
    registry::{Graph, Impact, Instance, Query, Statistics},
};
use serde_json::value::RawValue;

use super::{
    Client, ClientError, PutOptions, Written,
    answer::{self, Answer},
    call::Call,
};
use crate::wire::{Discovery, HeartbeatAnswer, MaintenanceBody, ReportBody, Timeline, path};

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

    /// Who calls whom, in a namespace or in all that the token may read.
    pub async fn graph(&self, namespace: Option<&Namespace>) -> Result<Graph, ClientError> {
        self.call(Call::get(path::graph(namespace))).await?.json()
    }

    /// Who is hurt if a service is gone.
    pub async fn impact(
        &self,
        namespace: &Namespace,
        service: &ServiceName,
    ) -> Result<Impact, ClientError> {
        self.call(Call::get(path::impact(namespace, service)))
            .await?
            .json()
    }

    /// Counts, of a namespace or of all that the token may read.
    pub async fn stats(&self, namespace: Option<&Namespace>) -> Result<Statistics, ClientError> {
        self.call(Call::get(path::stats(namespace))).await?.json()
    }

    /// Whom to call: a service's instances that `query` selects. One that cannot be read here,
    /// because a newer server wrote it, is passed over and logged.
    pub async fn discover(
        &self,
        namespace: &Namespace,
        service: &ServiceName,
        query: &Query,
    ) -> Result<Discovery<Document>, ClientError> {
        let call = Call::get(path::instances(namespace, service)).query(parameters(query));
        discovery(&self.call(call).await?)
    }

    /// Like [`Client::discover`], but the server answers only once the service has changed, or
    /// the wait is over. A platform that was restored answers at once.
    pub async fn discover_changed(
        &self,
        namespace: &Namespace,
        service: &ServiceName,
        query: &Query,
        changed: Changed,
    ) -> Result<Discovery<Document>, ClientError> {
        let mut parameters = parameters(query);
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

/// The query as parameters. Core's canonical form leaves characters as they are that a URI does not
/// take.
fn parameters(query: &Query) -> path::QueryString {
    let mut parameters = path::QueryString::default();
    parameters.add("healthy", query.healthy);
    for tag in &query.tags {
        parameters.add("tag", tag);
    }
    parameters.add_some("zone", query.zone.as_deref());
    parameters.add_some("region", query.region.as_deref());
    parameters.add_some("version", query.version.as_ref());
    for (key, value) in &query.metadata {
        parameters.add(&format!("metadata.{key}"), value);
    }
    parameters.add_some("near", query.near.as_ref());
    parameters
}

fn discovery(answer: &Answer) -> Result<Discovery<Document>, ClientError> {
    let raw: Discovery<Box<RawValue>> = answer.json()?;
    Ok(Discovery {
        service: raw.service,
        namespace: raw.namespace,
        index: raw.index,
        protected: raw.protected,
        instances: answer::documents(&raw.instances, &mut Vec::new()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_read_back_as_the_query() {
        let pairs = [
            ("healthy", "false"),
            ("tag", "a b"),
            ("tag", "<&=>"),
            ("zone", "z1"),
            ("region", "eu"),
            ("version", "1.0+x"),
            ("metadata.team", "shop#1"),
            ("near", "eu/z1"),
        ];
        let query = Query::parse(pairs, &[]).unwrap();
        let text = parameters(&query).to_string();
        let text = text.strip_prefix('?').unwrap();
        assert!(format!("/x?{text}").parse::<http::Uri>().is_ok());
        let decode = |text: &str| {
            percent_encoding::percent_decode_str(text)
                .decode_utf8()
                .unwrap()
                .into_owned()
        };
        let read = text.split('&').map(|pair| pair.split_once('=').unwrap());
        assert_eq!(
            Query::parse(read.map(|(key, value)| (decode(key), decode(value))), &[]),
            Ok(query)
        );
    }
}
