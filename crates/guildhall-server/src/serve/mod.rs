//! Listening: accepts connections, speaks HTTP/1.1 on them, in the clear or under TLS, and ends them in order.
//!
//! [`Listener`] binds, [`serve`](Listener::serve) runs until it is told to stop. Connections are bounded; those that
//! stand idle or send their headers too slowly are closed by [`idle`], one sweep a second instead of a timer per
//! request. What is answered is the handler's business.

mod connection;
mod idle;

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use http::Request;
use hyper::body::Incoming;
use rustls::ServerConfig;
use socket2::{Domain, Protocol, Socket, TcpKeepalive, Type};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
};

use crate::http::{Answer, Later};
pub(crate) use idle::Busy;
use idle::Idle;

/// Connections that wait to be accepted.
const BACKLOG: i32 = 4096;
/// After so long without an acknowledgement a peer counts as gone; a watcher's connection may be silent for hours.
const PEER_TIMEOUT: Duration = Duration::from_secs(60);
/// What a connection beyond the limit gets.
const FULL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/problem+json\r\n\
    retry-after: 1\r\nconnection: close\r\ncontent-length: 209\r\n\r\n\
    {\"type\":\"/docs/errors/too-many-requests\",\"title\":\"A limit of the server is reached\",\"status\":503,\
    \"code\":\"too-many-requests\",\"detail\":\"the server has as many connections as it takes; raise api.max_connections\"}";

/// What answers requests.
pub(crate) trait Handle: Send + Sync + 'static {
    /// Answers one request.
    fn handle(self: &Arc<Self>, request: Request<Incoming>) -> Handling;
}

/// An answer, or a promise of one.
pub(crate) enum Handling {
    /// It is there already.
    Done(Answer),
    /// It comes. Boxed, so that a watcher's connection does not keep room for the largest handler while it waits.
    Later(Later),
}

/// How connections are treated.
#[derive(Clone, Debug)]
pub(crate) struct ServeOptions {
    /// The most at a time.
    pub(crate) max_connections: usize,
    /// How long headers may take to arrive, and how long a connection may stand idle.
    pub(crate) header_timeout: Duration,
    /// How long a shutdown waits for requests under way.
    pub(crate) shutdown_timeout: Duration,
    /// TLS, if the listener speaks it.
    pub(crate) tls: Option<Arc<ServerConfig>>,
}

/// What a listener has done so far.
#[derive(Debug, Default)]
pub(crate) struct ServeStatistics {
    /// Connections now.
    pub(crate) open: AtomicUsize,
    /// Connections refused because there were too many.
    pub(crate) refused: AtomicUsize,
}

/// A bound listener.
#[derive(Debug)]
pub(crate) struct Listener {
    listener: TcpListener,
    address: SocketAddr,
}

impl Listener {
    /// Binds `address`; port 0 takes a free one.
    pub(crate) fn bind(address: SocketAddr) -> io::Result<Self> {
        let socket = Socket::new(
            Domain::for_address(address),
            Type::STREAM,
            Some(Protocol::TCP),
        )?;
        // A restarted node takes its port back while old connections linger; two nodes still cannot share one.
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        let listener = TcpListener::from_std(socket.into())?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop` turns true, then lets requests under way finish, at most for the shutdown timeout.
    pub(crate) async fn serve<H: Handle>(
        self,
        handler: Arc<H>,
        options: ServeOptions,
        statistics: Arc<ServeStatistics>,
        mut stop: watch::Receiver<bool>,
    ) {
        let idle = Idle::start(options.header_timeout);
        let acceptor = options.tls.clone().map(tokio_rustls::TlsAcceptor::from);
        let mut connections = JoinSet::new();
        loop {
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                Some(_) = connections.join_next() => {
                    statistics.open.store(connections.len(), Ordering::Relaxed);
                    continue;
                }
                // A sender that is gone is as good as told.
                _ = stop.wait_for(|stop| *stop) => break,
            };
            let stream = match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    // Out of file descriptors, most likely: trying again at once would spin.
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            };
            if connections.len() >= options.max_connections {
                statistics.refused.fetch_add(1, Ordering::Relaxed);
                if acceptor.is_none() {
                    // The socket is new, so its buffer takes this whole, or the peer is gone.
                    let _ = stream.try_write(FULL);
                }
                continue;
            }
            if let Err(error) = prepare(&stream) {
                tracing::debug!(%error, "a connection could not be prepared");
                continue;
            }
            let (handler, activity) = (handler.clone(), idle.enter());
            match &acceptor {
                None => connections.spawn(connection::plain(stream, handler, activity)),
                Some(acceptor) => {
                    let acceptor = acceptor.clone();
                    connections.spawn(connection::encrypted(acceptor, stream, handler, activity))
                }
            };
            statistics.open.store(connections.len(), Ordering::Relaxed);
        }
        drop(self.listener);
        idle.stop();
        let ended = async { while connections.join_next().await.is_some() {} };
        if tokio::time::timeout(options.shutdown_timeout, ended)
            .await
            .is_err()
        {
            tracing::warn!(
                connections = connections.len(),
                "requests still under way are ended"
            );
            connections.shutdown().await;
        }
        statistics.open.store(0, Ordering::Relaxed);
    }
}

/// Answers are written whole, so waiting to fill a packet only delays them; dead peers are found out.
fn prepare(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let socket = socket2::SockRef::from(stream);
    socket.set_tcp_keepalive(
        &TcpKeepalive::new()
            .with_time(PEER_TIMEOUT)
            .with_interval(PEER_TIMEOUT / 4),
    )?;
    socket.set_tcp_user_timeout(Some(PEER_TIMEOUT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_refusal_is_as_long_as_it_says() {
        let text = std::str::from_utf8(FULL).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(
            head.ends_with(&format!("content-length: {}", body.len())),
            "the body has {} bytes",
            body.len()
        );
        let problem: guildhall_api::wire::Problem = serde_json::from_str(body).unwrap();
        assert_eq!(problem.code, guildhall_api::wire::Code::TooManyRequests);
    }
}
