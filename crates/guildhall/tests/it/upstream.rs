//! Instances that do as a test says, registered without a service of their own.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use guildhall_core::{
    document::{Metadata, Namespace, Object, ServiceName},
    registry::{Health, Instance, InstanceStatus},
};
use http::{HeaderMap, StatusCode};
use tokio::{net::TcpListener, task::JoinHandle};

use crate::platform::Platform;

/// What an instance does with a request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Does {
    /// Answers with this status, and its id.
    Answer(u16),
    /// Answers with this status after so long.
    Slow(Duration, u16),
    /// Never answers.
    Hang,
}

struct Inner {
    id: String,
    does: Does,
    seen: Vec<HeaderMap>,
}

/// One instance.
pub(crate) struct Upstream {
    inner: Arc<Mutex<Inner>>,
    pub(crate) address: SocketAddr,
    server: JoinHandle<()>,
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Upstream {
    /// An instance of `service`, healthy.
    pub(crate) async fn start(platform: &Platform, service: &str, id: &str, does: Does) -> Self {
        let upstream = Self::listen(id, does).await;
        register(platform, service, id, upstream.address);
        upstream
    }

    /// An instance that nobody knows.
    pub(crate) async fn listen(id: &str, does: Does) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let inner = Arc::new(Mutex::new(Inner {
            id: id.to_owned(),
            does,
            seen: Vec::new(),
        }));
        let app = Router::new().fallback(serve).with_state(inner.clone());
        let server = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let app = app.clone();
                let service = hyper::service::service_fn(
                    move |request: http::Request<hyper::body::Incoming>| {
                        tower::ServiceExt::oneshot(app.clone(), request.map(axum::body::Body::new))
                    },
                );
                connections.spawn(async move {
                    let io = hyper_util::rt::TokioIo::new(stream);
                    let _ = hyper::server::conn::http1::Builder::new()
                        .serve_connection(io, service)
                        .await;
                });
            }
        });
        Self {
            inner,
            address,
            server,
        }
    }

    pub(crate) fn set(&self, does: Does) {
        self.inner.lock().unwrap().does = does;
    }

    /// The headers of every request so far.
    pub(crate) fn seen(&self) -> Vec<HeaderMap> {
        self.inner.lock().unwrap().seen.clone()
    }

    /// How many requests there were so far.
    pub(crate) fn asked(&self) -> usize {
        self.inner.lock().unwrap().seen.len()
    }
}

/// Registers an instance that is there already, or nowhere.
pub(crate) fn register(platform: &Platform, service: &str, id: &str, address: SocketAddr) {
    let host = address.ip().to_string();
    let spec = Instance::new(ServiceName::new(service).unwrap(), &host, address.port());
    let mut object = Object::new(Metadata::named(Namespace::default(), id), spec);
    object.status = Some(InstanceStatus {
        health: Health::Healthy,
        ..InstanceStatus::default()
    });
    platform.put(object.into());
}

async fn serve(State(inner): State<Arc<Mutex<Inner>>>, request: Request) -> Response {
    let (id, does) = {
        let mut inner = inner.lock().unwrap();
        inner.seen.push(request.headers().clone());
        (inner.id.clone(), inner.does)
    };
    match does {
        Does::Answer(status) => (StatusCode::from_u16(status).unwrap(), id).into_response(),
        Does::Slow(pause, status) => {
            tokio::time::sleep(pause).await;
            (StatusCode::from_u16(status).unwrap(), id).into_response()
        }
        Does::Hang => std::future::pending().await,
    }
}
