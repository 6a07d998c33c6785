//! Accepts connections and answers on them, until told to finish.

use std::{net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use axum::{Router, body::Body, extract::ConnectInfo};
use hyper::{
    body::Incoming,
    rt::{Read, Write},
    server::conn::http1,
    service::{HttpService, service_fn},
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
    task::JoinSet,
};
use tower::ServiceExt;

use crate::task::Task;

/// How long a client may take for the head of a request.
pub(crate) const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// How long what ends streams early may take to reach those who read them.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// How far a server has come.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub(crate) enum Stage {
    /// It takes connections.
    Serving,
    /// It takes nothing more, and finishes what it has.
    Finishing,
    /// What has not finished is ended.
    Over,
}

/// The stage, shared by all who need to know it.
#[derive(Clone, Debug)]
pub(crate) struct Stages(watch::Sender<Stage>);

impl Stages {
    pub(crate) fn new() -> Self {
        Self(watch::Sender::new(Stage::Serving))
    }

    fn advance(&self, stage: Stage) {
        self.0.send_replace(stage);
    }

    /// Waits until it has come that far.
    pub(crate) async fn reached(&self, stage: Stage) {
        // Its other end is here.
        drop(self.0.subscribe().wait_for(|now| *now >= stage).await);
    }
}

/// What a server takes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// The most connections at a time; others wait in the listener's queue.
    pub(crate) connections: usize,
    /// Whether they may speak HTTP/2.
    pub(crate) grpc: bool,
}

/// A listener that is being served.
pub(crate) struct Server {
    finish: watch::Sender<Option<Duration>>,
    task: Task<usize>,
}

impl Server {
    /// Serves `app` on `listener`.
    pub(crate) fn start(
        listener: TcpListener,
        app: Router,
        limits: Limits,
        stages: Stages,
    ) -> Self {
        let (finish, finishing) = watch::channel(None);
        Self {
            finish,
            task: Task::spawn(accept(listener, app, limits, stages, finishing)),
        }
    }

    /// Accepts nothing more, lets requests under way finish for as long as `deadline`, and answers
    /// how many connections had to be cut then.
    pub(crate) async fn drain(self, deadline: Duration) -> usize {
        self.finish.send_replace(Some(deadline));
        self.task.join().await.unwrap_or(0)
    }
}

async fn accept(
    listener: TcpListener,
    app: Router,
    limits: Limits,
    stages: Stages,
    mut finishing: watch::Receiver<Option<Duration>>,
) -> usize {
    let slots = Arc::new(Semaphore::new(limits.connections));
    let mut connections = JoinSet::new();
    let next = async || {
        // The semaphore is never closed.
        let slot = slots.clone().acquire_owned().await.ok();
        (listener.accept().await, slot)
    };
    loop {
        tokio::select! {
            (accepted, slot) = next() => match accepted {
                Ok((stream, peer)) => {
                    let connection = connection(stream, peer, app.clone(), limits, stages.clone());
                    connections.spawn(async move {
                        connection.await;
                        drop(slot);
                    });
                }
                Err(error) => {
                    // Out of file descriptors, most likely: connections that end will free some.
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            },
            Some(_) = connections.join_next() => {}
            () = async { drop(finishing.wait_for(Option::is_some).await) } => break,
        }
    }
    let deadline = (*finishing.borrow()).unwrap_or_default();
    drop(listener);
    stages.advance(Stage::Finishing);
    let mut all = async || while connections.join_next().await.is_some() {};
    if tokio::time::timeout(deadline, all()).await.is_ok() {
        return 0;
    }
    let cut = connections.len();
    stages.advance(Stage::Over);
    if limits.grpc {
        let mut all = async || while connections.join_next().await.is_some() {};
        drop(tokio::time::timeout(LAST_WORDS, all()).await);
    }
    connections.shutdown().await;
    cut
}

async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    app: Router,
    limits: Limits,
    stages: Stages,
) {
    // Small answers must not wait for an acknowledgement; a socket that cannot is served all the same.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request: http::Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(peer));
        app.clone().oneshot(request)
    });
    #[cfg(feature = "grpc")]
    if limits.grpc {
        if let Err(error) = crate::grpc::serve(stream, service, stages).await {
            tracing::debug!(%peer, error, "a connection ended early");
        }
        return;
    }
    #[cfg(not(feature = "grpc"))]
    let _ = limits;
    if let Err(error) = http1(TokioIo::new(stream), service, stages).await {
        tracing::debug!(%peer, %error, "a connection ended early");
    }
}

/// Serves a connection that speaks HTTP/1.
pub(crate) async fn http1<T, S>(io: T, service: S, stages: Stages) -> hyper::Result<()>
where
    T: Read + Write + Unpin + Send + 'static,
    S: HttpService<Incoming, ResBody = Body>,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT);
    let mut connection = pin!(http.serve_connection(io, service).with_upgrades());
    tokio::select! {
        ended = connection.as_mut() => ended,
        () = stages.reached(Stage::Finishing) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    }
}
