//! Accepts connections and answers on them, until told to finish.

use std::{net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use axum::{Router, body::Body, extract::ConnectInfo};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
    task::JoinSet,
};
use tower::ServiceExt;

use crate::task::Task;

/// How long a client may take for the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

/// A listener that is being served.
pub(crate) struct Server {
    finish: watch::Sender<Option<Duration>>,
    task: Task<usize>,
}

impl Server {
    /// Serves `app` on `listener`, at most `most` connections at a time; others wait in the
    /// listener's queue.
    pub(crate) fn start(listener: TcpListener, app: Router, most: usize) -> Self {
        let (finish, finishing) = watch::channel(None);
        Self {
            finish,
            task: Task::spawn(accept(listener, app, most, finishing)),
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
    most: usize,
    mut finishing: watch::Receiver<Option<Duration>>,
) -> usize {
    let slots = Arc::new(Semaphore::new(most));
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
                    let connection = connection(stream, peer, app.clone(), finishing.clone());
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
    let all = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(deadline, all).await.is_ok() {
        return 0;
    }
    let cut = connections.len();
    connections.shutdown().await;
    cut
}

async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    app: Router,
    mut finishing: watch::Receiver<Option<Duration>>,
) {
    // Small answers must not wait for an acknowledgement; a socket that cannot is served all the same.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request: http::Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(peer));
        app.clone().oneshot(request)
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT);
    let mut connection = pin!(
        http.serve_connection(TokioIo::new(stream), service)
            .with_upgrades()
    );
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = async { drop(finishing.wait_for(Option::is_some).await) } => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%peer, %error, "a connection ended early");
    }
}
