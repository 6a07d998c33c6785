//! A server that does as it is told and remembers what it was asked.

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use futures_util::StreamExt;
use guildhall_api::{
    client::{Client, ClientOptions},
    wire::{Problem, WatchEvent},
};
use guildhall_core::{
    document::{Document, Index, Metadata, Namespace, Object, ServiceName},
    registry::{Instance, Service},
};
use http::{HeaderMap, Method, Request, Response};
use http_body_util::{BodyExt, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::body::{Frame, Incoming};
use hyper_util::rt::TokioIo;
use tokio::{
    net::{TcpListener, TcpSocket},
    sync::mpsc,
};

/// What was asked.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Asked {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

pub(crate) type Reply = Response<UnsyncBoxBody<Bytes, Infallible>>;

/// An answer.
pub(crate) fn reply(status: u16, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Reply {
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    response
        .body(Full::new(body.into()).boxed_unsync())
        .unwrap()
}

pub(crate) fn problem(problem: &Problem) -> Reply {
    reply(
        problem.status,
        &[("content-type", "application/problem+json")],
        problem.to_json(),
    )
}

/// A stream of events under the test's control; dropping it ends the answer.
pub(crate) struct Events(mpsc::UnboundedSender<Bytes>);

impl Events {
    pub(crate) fn send(&self, revision: Option<u64>, event: &WatchEvent) {
        let mut bytes = Vec::new();
        event
            .write(revision.map(|revision| at(1, revision)), &mut bytes)
            .unwrap();
        let _ = self.0.send(bytes.into());
    }

    pub(crate) fn send_at(&self, index: Index, event: &WatchEvent) {
        let mut bytes = Vec::new();
        event.write(Some(index), &mut bytes).unwrap();
        let _ = self.0.send(bytes.into());
    }

    pub(crate) fn raw(&self, text: &str) {
        let _ = self.0.send(text.to_owned().into());
    }
}

/// An answer that streams.
pub(crate) fn stream() -> (Events, Reply) {
    let (sender, receiver) = mpsc::unbounded_channel::<Bytes>();
    let frames = futures_util::stream::unfold(receiver, async |mut receiver| {
        receiver.recv().await.map(|bytes| (bytes, receiver))
    });
    let body = StreamBody::new(frames.map(|bytes| Ok(Frame::data(bytes)))).boxed_unsync();
    (
        Events(sender),
        Response::builder()
            .header("content-type", "text/event-stream")
            .body(body)
            .unwrap(),
    )
}

type Handler = dyn Fn(&Asked) -> Reply + Send + Sync;

pub(crate) struct Fake {
    pub(crate) address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Fake {
    pub(crate) async fn start(handler: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        Self::serve(Reserved::new().listen(), handler)
    }

    pub(crate) fn serve(
        listener: TcpListener,
        handler: impl Fn(&Asked) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (handler, seen): (Arc<Handler>, _) = (Arc::new(handler), asked.clone());
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            loop {
                let (socket, _) = listener.accept().await.unwrap();
                let (handler, seen) = (handler.clone(), seen.clone());
                let service = hyper::service::service_fn(move |request: Request<Incoming>| {
                    let (handler, seen) = (handler.clone(), seen.clone());
                    async move {
                        let (head, body) = request.into_parts();
                        let asked = Asked {
                            method: head.method,
                            path: head.uri.path().to_owned(),
                            query: head.uri.query().unwrap_or_default().to_owned(),
                            headers: head.headers,
                            body: body.collect().await.unwrap().to_bytes(),
                        };
                        seen.lock().unwrap().push(asked.clone());
                        Ok::<_, Infallible>(handler(&asked))
                    }
                });
                connections.spawn(async move {
                    let _ = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(socket), service)
                        .await;
                });
            }
        });
        Self {
            address,
            asked,
            task,
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn client(&self) -> Client {
        Client::new(ClientOptions::new([self.url()])).unwrap()
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

/// An address where nobody listens until the test lets somebody; held, so that nobody else takes it.
pub(crate) struct Reserved(TcpSocket);

impl Reserved {
    pub(crate) fn new() -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        Self(socket)
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.0.local_addr().unwrap())
    }

    pub(crate) fn listen(self) -> TcpListener {
        self.0.listen(64).unwrap()
    }
}

pub(crate) fn at(incarnation: u64, revision: u64) -> Index {
    Index {
        incarnation,
        revision,
    }
}

pub(crate) fn service(name: &str) -> Document {
    Object::new(
        Metadata::named(Namespace::default(), name),
        Service::default(),
    )
    .into()
}

pub(crate) fn instance(id: &str) -> Document {
    let spec = Instance::new(ServiceName::new("user-service").unwrap(), "127.0.0.1", 3001);
    Object::new(Metadata::named(Namespace::default(), id), spec).into()
}

/// Waits for what a test expects; the deadline is for a test that fails.
pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), future)
        .await
        .unwrap_or_else(|_| panic!("{what} did not happen"))
}
