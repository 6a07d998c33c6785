//! A platform that keeps what is registered in memory, and can be told to lose it.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Path, Query, Request, State},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::{get, post, put},
};
use guildhall_api::wire::{Code, HeartbeatAnswer, Problem, ReportBody, WatchEvent};
use guildhall_core::{
    document::{Body as DocumentBody, Document, DocumentKey, Index, Kind, Namespace, Timestamp},
    policy::report::{Received, Report},
    registry::{CheckState, Health, InstanceStatus},
};
use http::StatusCode;
use tokio::{net::TcpListener, sync::broadcast, task::JoinHandle};

#[derive(Default)]
struct Kept {
    revision: u64,
    incarnation: u64,
    documents: BTreeMap<String, Document>,
    asked: Vec<String>,
    refuse_versions: bool,
    reports: Vec<Report>,
}

#[derive(Clone)]
struct Shared {
    kept: Arc<Mutex<Kept>>,
    events: broadcast::Sender<(Index, WatchEvent)>,
}

pub(crate) struct Platform {
    shared: Shared,
    address: SocketAddr,
    server: Option<JoinHandle<()>>,
}

impl Drop for Platform {
    fn drop(&mut self) {
        if let Some(server) = &self.server {
            server.abort();
        }
    }
}

impl Platform {
    pub(crate) async fn start() -> Self {
        let mut platform = Self::stopped().await;
        platform.restart().await;
        platform
    }

    /// A platform with an address that does not answer yet.
    pub(crate) async fn stopped() -> Self {
        let address = TcpListener::bind("127.0.0.1:0")
            .await
            .unwrap()
            .local_addr()
            .unwrap();
        let shared = Shared {
            kept: Arc::default(),
            events: broadcast::Sender::new(1024),
        };
        shared.kept.lock().unwrap().incarnation = 1;
        Self {
            shared,
            address,
            server: None,
        }
    }

    pub(crate) async fn restart(&mut self) {
        self.stop().await;
        let listener = TcpListener::bind(self.address).await.unwrap();
        let app = routes(self.shared.clone());
        self.server = Some(tokio::spawn(async move {
            // In one task, so that stopping it cuts every connection.
            let mut connections = tokio::task::JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let app = app.clone();
                let service = hyper::service::service_fn(
                    move |request: http::Request<hyper::body::Incoming>| {
                        tower::ServiceExt::oneshot(app.clone(), request.map(Body::new))
                    },
                );
                connections.spawn(async move {
                    let io = hyper_util::rt::TokioIo::new(stream);
                    let _ = hyper::server::conn::http1::Builder::new()
                        .serve_connection(io, service)
                        .await;
                });
            }
        }));
    }

    /// Goes away as if killed; what it keeps stays.
    pub(crate) async fn stop(&mut self) {
        if let Some(server) = self.server.take() {
            server.abort();
            // Its port is free once it has been dropped.
            let _ = server.await;
        }
    }

    /// Loses everything, and is another history from then on.
    pub(crate) fn lose_everything(&self) {
        let mut kept = self.shared.kept.lock().unwrap();
        kept.documents.clear();
        kept.incarnation += 1;
    }

    pub(crate) fn refuse_versions(&self) {
        self.shared.kept.lock().unwrap().refuse_versions = true;
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Every call so far: method and path without its beginning.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.shared.kept.lock().unwrap().asked.clone()
    }

    /// Every report of breakers and limits so far.
    pub(crate) fn reports(&self) -> Vec<Report> {
        self.shared.kept.lock().unwrap().reports.clone()
    }

    pub(crate) fn document(&self, key: &str) -> Option<serde_json::Value> {
        let kept = self.shared.kept.lock().unwrap();
        kept.documents
            .get(key)
            .map(|document| serde_json::to_value(document).unwrap())
    }

    /// Registers what is there already, in place of a process.
    pub(crate) fn put(&self, document: Document) {
        self.shared.write(document.key().to_string(), document);
    }

    pub(crate) fn remove(&self, document: &Document) {
        self.shared.remove(&document.key().to_string());
    }
}

impl Shared {
    fn write(&self, key: String, document: Document) {
        let mut kept = self.kept.lock().unwrap();
        kept.revision += 1;
        kept.documents.insert(key, document.clone());
        let index = Index {
            incarnation: kept.incarnation,
            revision: kept.revision,
        };
        let _ = self.events.send((index, WatchEvent::Modified(document)));
    }

    fn remove(&self, key: &str) -> bool {
        let mut kept = self.kept.lock().unwrap();
        let Some(document) = kept.documents.remove(key) else {
            return false;
        };
        kept.revision += 1;
        let index = Index {
            incarnation: kept.incarnation,
            revision: kept.revision,
        };
        let _ = self
            .events
            .send((index, WatchEvent::Deleted((&document).into())));
        true
    }

    fn index(&self) -> Index {
        let kept = self.kept.lock().unwrap();
        Index {
            incarnation: kept.incarnation,
            revision: kept.revision,
        }
    }

    fn health(&self, key: &str, health: Health) -> bool {
        let found = self.kept.lock().unwrap().documents.get(key).cloned();
        let Some(document) = found else { return false };
        let status = serde_json::to_vec(&InstanceStatus {
            health,
            ..InstanceStatus::default()
        })
        .unwrap();
        self.write(
            key.to_owned(),
            document.with_stored_status(Some(&status)).unwrap(),
        );
        true
    }
}

fn routes(shared: Shared) -> Router {
    let api = Router::new()
        .route("/services/{service}", put(put_service))
        .route("/services/{service}/versions/{version}", put(put_version))
        .route(
            "/services/{service}/instances/{id}",
            put(put_instance).delete(delete_instance),
        )
        .route(
            "/services/{service}/instances/{id}/heartbeat",
            put(heartbeat),
        )
        .route(
            "/services/{service}/instances/{id}/checks/{check}",
            put(report),
        )
        .route("/watch", get(watch))
        .layer(from_fn_with_state(shared.clone(), note))
        .with_state(shared.clone());
    let reports = Router::new()
        .route("/api/v1/reports", post(take_report))
        .with_state(shared);
    Router::new()
        .nest("/api/v1/namespaces/default", api)
        .merge(reports)
}

async fn note(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    let asked = format!("{} {}", request.method(), request.uri().path());
    shared.kept.lock().unwrap().asked.push(asked);
    next.run(request).await
}

fn refusal(code: Code) -> Response {
    let problem = Problem::new(code, "as the test wants it");
    (
        code.status(),
        [("content-type", "application/problem+json")],
        problem.to_json(),
    )
        .into_response()
}

fn write(shared: &Shared, kind: Kind, name: &str, body: &Bytes) -> Response {
    let json = std::str::from_utf8(body).unwrap();
    let parsed = DocumentBody::parse(json).unwrap();
    assert_eq!(parsed.warnings, Vec::<String>::new());
    let document = parsed
        .into_document(kind, Some(&Namespace::default()), Some(name))
        .unwrap();
    let answer = serde_json::to_vec(&document).unwrap();
    shared.write(document.key().to_string(), document);
    (
        StatusCode::CREATED,
        [("guildhall-index", shared.index().to_string())],
        answer,
    )
        .into_response()
}

async fn take_report(State(shared): State<Shared>, body: Bytes) -> Response {
    let report = serde_json::from_slice(&body).unwrap();
    shared.kept.lock().unwrap().reports.push(report);
    serde_json::to_vec(&Received::default())
        .unwrap()
        .into_response()
}

async fn put_service(
    State(shared): State<Shared>,
    Path(name): Path<String>,
    body: Bytes,
) -> Response {
    let exists = shared
        .kept
        .lock()
        .unwrap()
        .documents
        .contains_key(&format!("Service default/{name}"));
    if exists {
        refusal(Code::PreconditionFailed)
    } else {
        write(&shared, Kind::Service, &name, &body)
    }
}

async fn put_version(
    State(shared): State<Shared>,
    Path((of, name)): Path<(String, String)>,
    body: Bytes,
) -> Response {
    let refuse = shared.kept.lock().unwrap().refuse_versions;
    if refuse {
        return refusal(Code::ContractBroken);
    }
    write(
        &shared,
        Kind::ServiceVersion,
        &format!("{of}/{name}"),
        &body,
    )
}

async fn put_instance(
    State(shared): State<Shared>,
    Path((of, id)): Path<(String, String)>,
    body: Bytes,
) -> Response {
    let answer = write(&shared, Kind::Instance, &format!("{of}/{id}"), &body);
    shared.health(&format!("Instance default/{of}/{id}"), Health::Healthy);
    answer
}

async fn delete_instance(
    State(shared): State<Shared>,
    Path((of, id)): Path<(String, String)>,
) -> Response {
    match shared.remove(&format!("Instance default/{of}/{id}")) {
        true => (
            StatusCode::NO_CONTENT,
            [("guildhall-index", shared.index().to_string())],
        )
            .into_response(),
        false => refusal(Code::NotFound),
    }
}

async fn heartbeat(
    State(shared): State<Shared>,
    Path((of, id)): Path<(String, String)>,
) -> Response {
    if !shared.health(&format!("Instance default/{of}/{id}"), Health::Healthy) {
        return refusal(Code::NotFound);
    }
    let answer = HeartbeatAnswer {
        health: Health::Healthy,
        since: Timestamp(0),
        ttl: None,
    };
    serde_json::to_vec(&answer).unwrap().into_response()
}

async fn report(
    State(shared): State<Shared>,
    Path((of, id, _)): Path<(String, String, String)>,
    body: Bytes,
) -> Response {
    let report: ReportBody = serde_json::from_slice(&body).unwrap();
    let health = if report.state == CheckState::Critical {
        Health::Unhealthy
    } else {
        Health::Healthy
    };
    match shared.health(&format!("Instance default/{of}/{id}"), health) {
        true => StatusCode::NO_CONTENT.into_response(),
        false => refusal(Code::NotFound),
    }
}

fn watched(key: &DocumentKey, kinds: &str, service: Option<&str>) -> bool {
    kinds.split(',').any(|kind| kind == key.kind.plural())
        && service.is_none_or(|service| key.service() == Some(service))
}

async fn watch(
    State(shared): State<Shared>,
    Query(query): Query<BTreeMap<String, String>>,
) -> Response {
    let (kinds, service) = (query["kinds"].clone(), query.get("service").cloned());
    let (index, documents, events) = {
        let kept = shared.kept.lock().unwrap();
        let index = Index {
            incarnation: kept.incarnation,
            revision: kept.revision,
        };
        (
            index,
            kept.documents.values().cloned().collect::<Vec<_>>(),
            shared.events.subscribe(),
        )
    };
    let mut first = Vec::new();
    for document in documents
        .into_iter()
        .filter(|document| watched(&document.key(), &kinds, service.as_deref()))
    {
        WatchEvent::Added(document).write(None, &mut first).unwrap();
    }
    WatchEvent::Bookmark.write(Some(index), &mut first).unwrap();
    let rest =
        futures_util::stream::unfold((events, Some(first)), move |(mut events, mut first)| {
            let (kinds, service) = (kinds.clone(), service.clone());
            async move {
                if let Some(first) = first.take() {
                    return Some((Ok::<_, Infallible>(Bytes::from(first)), (events, None)));
                }
                loop {
                    let (index, event) = events.recv().await.ok()?;
                    let key = match &event {
                        WatchEvent::Modified(document) => document.key(),
                        WatchEvent::Deleted(deleted) => deleted.document_key(),
                        _ => continue,
                    };
                    if watched(&key, &kinds, service.as_deref()) {
                        let mut bytes = Vec::new();
                        event.write(Some(index), &mut bytes).unwrap();
                        return Some((Ok(Bytes::from(bytes)), (events, None)));
                    }
                }
            }
        });
    (
        [("content-type", "text/event-stream")],
        Body::from_stream(rest),
    )
        .into_response()
}
