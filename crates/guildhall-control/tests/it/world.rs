//! A control plane on a test store, and the documents that tests write into it.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use guildhall_control::documents::{Precondition, Written};
use guildhall_control::watch::{Event, EventKind, Subscription};
use guildhall_control::{Control, Error, Options};
use guildhall_core::access::{Caller, Grant, Verb, Via};
use guildhall_core::document::{Body, Document, DocumentKey, Kind, Namespace};
use guildhall_core::registry::{Health, InstanceStatus};
use guildhall_store::Store;
use tokio::task::JoinHandle;

use crate::store::TestStore;

/// A running control plane; stops its tasks when dropped.
pub(crate) struct World {
    pub(crate) store: Arc<TestStore>,
    pub(crate) control: Control,
    pub(crate) caller: Caller,
    ticker: JoinHandle<()>,
}

impl Drop for World {
    fn drop(&mut self) {
        self.ticker.abort();
    }
}

/// A writer in all namespaces.
pub(crate) fn writer() -> Caller {
    caller("tester", &[(Verb::Admin, None)])
}

/// A caller with these grants.
pub(crate) fn caller(principal: &str, grants: &[(Verb, Option<&str>)]) -> Caller {
    let grant = |(verb, namespace): &(Verb, Option<&str>)| Grant {
        verb: *verb,
        namespace: namespace.map(|namespace| Namespace::new(namespace).unwrap()),
    };
    let grants: Vec<Grant> = grants.iter().map(grant).collect();
    Caller {
        principal: principal.into(),
        via: Via::Api,
        request_id: "r-1".into(),
        grants: grants.into(),
    }
}

pub(crate) fn options() -> Options {
    let mut options = Options::default();
    options.checks.seed = Some(7);
    options
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(options()).await
    }

    pub(crate) async fn with(options: Options) -> Self {
        Self::on(TestStore::new(), options).await
    }

    pub(crate) async fn on(store: Arc<TestStore>, options: Options) -> Self {
        let ticker = store.tick();
        let control = Control::start(Arc::clone(&store) as Arc<dyn Store>, options)
            .await
            .unwrap();
        Self {
            store,
            control,
            caller: writer(),
            ticker,
        }
    }

    /// The same after the process was killed and started again.
    pub(crate) async fn restarted(self) -> Self {
        let store = self.store.restarted();
        drop(self);
        Self::on(store, options()).await
    }

    pub(crate) async fn put(&self, document: Document) -> Result<Written, Error> {
        self.control
            .documents()
            .put(&self.caller, document, Precondition::None, false)
            .await
    }

    /// Writes and waits until readers see it.
    pub(crate) async fn seen(&self, document: Document) -> Written {
        let written = self.put(document).await.unwrap();
        self.control.wait_for(written.index).await.unwrap();
        written
    }

    pub(crate) async fn delete(&self, key: &DocumentKey) -> guildhall_core::document::Index {
        let index = self
            .control
            .documents()
            .delete(&self.caller, key, Precondition::None, false)
            .await
            .unwrap();
        self.control.wait_for(index).await.unwrap();
        index
    }

    pub(crate) fn instance_status(&self, key: &DocumentKey) -> Option<InstanceStatus> {
        match self.control.state().get(key)? {
            Document::Instance(instance) => instance.status.clone(),
            _ => None,
        }
    }

    pub(crate) fn health(&self, key: &DocumentKey) -> Option<Health> {
        self.instance_status(key).map(|status| status.health)
    }

    /// Waits until an instance has this health; how long that took.
    pub(crate) async fn until_health(&self, key: &DocumentKey, health: Health) -> Duration {
        let what = format!("{key} {health:?}, is {:?}", self.health(key));
        until(&what, || self.health(key) == Some(health)).await
    }
}

/// Waits (a minute at most) until `holds`; how long that took.
pub(crate) async fn until(what: &str, holds: impl Fn() -> bool) -> Duration {
    let began = tokio::time::Instant::now();
    while !holds() {
        assert!(
            began.elapsed() < Duration::from_secs(60),
            "never came: {what}"
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    began.elapsed()
}

/// What `future` gives within a minute.
pub(crate) async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), future)
        .await
        .expect("nothing came within a minute")
}

/// The next event.
pub(crate) async fn event(subscription: &mut Subscription) -> Event {
    soon(subscription.next()).await.expect("the watch ended")
}

/// The next event in short: its word and its document's name.
pub(crate) async fn told(subscription: &mut Subscription) -> String {
    short(&event(subscription).await)
}

pub(crate) fn short(event: &Event) -> String {
    match event.document() {
        Some(document) => format!("{} {}", event.kind().word(), document.key().name),
        None => event.kind().word().to_owned(),
    }
}

/// All events up to the next bookmark, in short.
pub(crate) async fn up_to_bookmark(subscription: &mut Subscription) -> Vec<String> {
    let mut events = Vec::new();
    loop {
        let event = event(subscription).await;
        if event.kind() == EventKind::Bookmark {
            return events;
        }
        events.push(short(&event));
    }
}

/// Whether nothing more comes.
pub(crate) async fn silent(subscription: &mut Subscription) -> bool {
    tokio::time::timeout(Duration::from_secs(1), subscription.next())
        .await
        .is_err()
}

pub(crate) fn namespace() -> Namespace {
    Namespace::default()
}

pub(crate) fn key(kind: Kind, name: &str) -> DocumentKey {
    DocumentKey::new(kind, namespace(), name)
}

/// A document as a client would send it.
pub(crate) fn document(kind: Kind, name: &str, spec: serde_json::Value) -> Document {
    labelled(kind, name, spec, serde_json::json!({}))
}

pub(crate) fn labelled(
    kind: Kind,
    name: &str,
    spec: serde_json::Value,
    labels: serde_json::Value,
) -> Document {
    let json = serde_json::json!({"metadata": {"labels": labels}, "spec": spec});
    let body = Body::parse(&json.to_string()).unwrap();
    body.into_document(kind, Some(&namespace()), Some(name))
        .unwrap()
}

/// An instance without checks; `name` is `{service}/{id}`.
pub(crate) fn instance(name: &str) -> Document {
    document(
        Kind::Instance,
        name,
        serde_json::json!({"host": "127.0.0.1", "port": 8080}),
    )
}

/// An instance with these checks.
pub(crate) fn checked(name: &str, checks: serde_json::Value) -> Document {
    document(
        Kind::Instance,
        name,
        serde_json::json!({"host": "127.0.0.1", "port": 8080, "checks": checks}),
    )
}

pub(crate) fn service(name: &str, spec: serde_json::Value) -> Document {
    document(Kind::Service, name, spec)
}
