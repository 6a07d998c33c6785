//! Real gRPC servers that do as a test says: tonic's health service, and an echo that streams both ways.

use std::{
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, Mutex},
    time::Duration,
};

use guildhall::Service;
use guildhall_core::{
    document::{Metadata, Namespace, Object, ServiceName},
    registry::{Health as Verdict, Instance, InstanceStatus, Protocol},
};
use http::HeaderMap;
use tokio::{net::TcpListener, runtime::Handle, sync::watch, task::JoinHandle};
use tonic::{
    Code, Request, Response, Status,
    transport::{Server, server::TcpIncoming},
};
use tonic_health::pb::{
    HealthCheckRequest, HealthCheckResponse,
    health_check_response::ServingStatus,
    health_server::{Health, HealthServer},
};

use super::echo::Echo;
use crate::platform::Platform;

/// What an instance does with a call.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Does {
    /// Serves.
    Serve,
    /// Answers with this status: in the head where nothing was sent before, else in the trailers.
    Fail(Code),
    /// The same, and asks for a pause.
    PushBack(Code, &'static str),
    /// Serves after so long.
    Slow(Duration),
    /// A stream's first message, and no end.
    Hang,
}

#[derive(Clone)]
pub(crate) struct Inner(Arc<Mutex<State>>);

struct State {
    id: String,
    does: Does,
    seen: Vec<HeaderMap>,
    active: usize,
    /// The most that were active at a time.
    peak: usize,
}

/// One instance.
pub(crate) struct Upstream {
    inner: Inner,
    pub(crate) address: SocketAddr,
    stop: watch::Sender<bool>,
    server: JoinHandle<()>,
}

impl Upstream {
    /// A healthy instance of `service`.
    pub(crate) async fn start(platform: &Platform, service: &str, id: &str, does: Does) -> Self {
        Self::start_with(
            platform,
            service,
            id,
            does,
            Server::builder(),
            &Handle::current(),
        )
    }

    /// The same by a server that is set up so, on a runtime that may be another one.
    pub(crate) fn start_with(
        platform: &Platform,
        service: &str,
        id: &str,
        does: Does,
        mut server: Server,
        runtime: &Handle,
    ) -> Self {
        let _on = runtime.enter();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let listener = TcpListener::from_std(listener).unwrap();
        let address = listener.local_addr().unwrap();
        let inner = Inner(Arc::new(Mutex::new(State {
            id: id.to_owned(),
            does,
            seen: Vec::new(),
            active: 0,
            peak: 0,
        })));
        let (stop, mut stopping) = watch::channel(false);
        let server = server
            .add_service(HealthServer::new(inner.clone()))
            .add_service(Echo(inner.clone()));
        let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
        let server = tokio::spawn(async move {
            let stopped = async move { drop(stopping.wait_for(|stop| *stop).await) };
            let _ = server.serve_with_incoming_shutdown(incoming, stopped).await;
        });
        register(platform, service, id, address);
        Self {
            inner,
            address,
            stop,
            server,
        }
    }

    pub(crate) fn set(&self, does: Does) {
        self.inner.0.lock().unwrap().does = does;
    }

    /// The metadata of every call so far.
    pub(crate) fn seen(&self) -> Vec<HeaderMap> {
        self.inner.0.lock().unwrap().seen.clone()
    }

    pub(crate) fn asked(&self) -> usize {
        self.inner.0.lock().unwrap().seen.len()
    }

    /// The most unary calls that were active at a time.
    pub(crate) fn peak(&self) -> usize {
        self.inner.0.lock().unwrap().peak
    }

    /// Stops as a server does that fails nobody: by GOAWAY.
    pub(crate) async fn shut_down(self) {
        self.stop.send_replace(true);
        let _ = self.server.await;
    }
}

impl Inner {
    pub(super) fn note(&self, headers: HeaderMap) -> (String, Does) {
        let mut state = self.0.lock().unwrap();
        state.seen.push(headers);
        (state.id.clone(), state.does.clone())
    }

    fn enter(&self) -> Active {
        let mut state = self.0.lock().unwrap();
        state.active += 1;
        state.peak = state.peak.max(state.active);
        Active(self.clone())
    }
}

/// A call that is being answered.
struct Active(Inner);

impl Drop for Active {
    fn drop(&mut self) {
        self.0.0.lock().unwrap().active -= 1;
    }
}

/// Registers an instance that speaks gRPC.
pub(crate) fn register(platform: &Platform, service: &str, id: &str, address: SocketAddr) {
    let host = address.ip().to_string();
    let mut spec = Instance::new(ServiceName::new(service).unwrap(), &host, address.port());
    spec.ports[0].protocol = Protocol::Grpc;
    let mut object = Object::new(Metadata::named(Namespace::default(), id), spec);
    object.status = Some(InstanceStatus {
        health: Verdict::Healthy,
        ..InstanceStatus::default()
    });
    platform.put(object.into());
}

fn failure(code: Code, pushback: Option<&'static str>) -> Status {
    let mut status = Status::new(code, "as the test says");
    if let Some(pause) = pushback {
        let pause = pause.parse().unwrap();
        status
            .metadata_mut()
            .insert("grpc-retry-pushback-ms", pause);
    }
    status
}

fn serving(id: &str) -> HealthCheckResponse {
    // The instance tells who it is by what it says.
    let status = match id.contains("not") {
        true => ServingStatus::NotServing,
        false => ServingStatus::Serving,
    };
    HealthCheckResponse {
        status: status as i32,
    }
}

type Messages =
    Pin<Box<dyn futures_util::Stream<Item = Result<HealthCheckResponse, Status>> + Send>>;

#[tonic::async_trait]
impl Health for Inner {
    type WatchStream = Messages;

    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        let (id, does) = self.note(request.metadata().clone().into_headers());
        let _active = self.enter();
        match does {
            Does::Serve => {}
            Does::Fail(code) => return Err(failure(code, None)),
            Does::PushBack(code, pause) => return Err(failure(code, Some(pause))),
            Does::Slow(pause) => tokio::time::sleep(pause).await,
            Does::Hang => std::future::pending().await,
        }
        Ok(Response::new(serving(&id)))
    }

    async fn watch(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<Messages>, Status> {
        use futures_util::StreamExt;
        let (id, does) = self.note(request.metadata().clone().into_headers());
        let first = futures_util::stream::iter([Ok(serving(&id))]);
        let rest: Messages = match does {
            Does::Fail(code) | Does::PushBack(code, _) => {
                Box::pin(futures_util::stream::iter([Err(failure(code, None))]))
            }
            Does::Hang => Box::pin(futures_util::stream::pending()),
            Does::Serve | Does::Slow(_) => Box::pin(futures_util::stream::empty()),
        };
        Ok(Response::new(Box::pin(first.chain(rest))))
    }
}

/// A service of the tests.
pub(crate) fn service(platform: &Platform, defaults: serde_json::Value) -> Service {
    let service = crate::service("orders").platform(&platform.url());
    service.call_defaults(defaults)
}
