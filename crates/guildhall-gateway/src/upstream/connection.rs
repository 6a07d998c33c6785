//! One connection to an endpoint, and one exchange on it.

use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    rc::Rc,
    sync::Arc,
    task::{Context, Poll},
    time::Instant,
};

use bytes::Bytes;
use http::{Request, Response};
use hyper::{
    body::Incoming,
    client::conn::http1::{Connection, SendRequest},
};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::{Deadline, Expired};
use crate::{body::RequestBody, shared::Shared, snapshot::EndpointState, worker::Worker};

type Io = TokioIo<TcpStream>;

/// A connection to an endpoint. Belongs to one request or to the pool.
#[derive(Debug)]
pub(crate) struct Upstream {
    sender: SendRequest<RequestBody>,
    /// `None` once it is over.
    connection: Option<Connection<Io, RequestBody>>,
    pub(super) endpoint: Arc<EndpointState>,
    /// Since when it is in the pool.
    pub(super) idle_since: Option<Instant>,
    _open: Open,
}

/// Counts the connection as open.
#[derive(Debug)]
struct Open {
    shared: Arc<Shared>,
    worker: usize,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.shared.workers[self.worker]
            .stats
            .upstream_connections
            .subtract(1);
    }
}

/// A connection that carries another protocol from here on, and what of it was read already.
#[derive(Debug)]
pub(crate) struct Tunnel {
    pub(crate) stream: TcpStream,
    pub(crate) read: Bytes,
}

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum SendError {
    /// The connection was closed before the request was written; here it is back.
    Unsent(Box<Request<RequestBody>>),
    /// The connection was closed after that.
    Lost(Option<hyper::Error>),
    /// The answer is not valid HTTP.
    Invalid(hyper::Error),
    /// The client's body broke off.
    Upload,
    /// It took too long.
    Expired(Expired),
}

impl Upstream {
    pub(super) fn new(
        sender: SendRequest<RequestBody>,
        connection: Connection<Io, RequestBody>,
        endpoint: Arc<EndpointState>,
        worker: &Rc<Worker>,
    ) -> Self {
        let stats = worker.stats();
        stats.upstream_connects.add(1);
        stats.upstream_connections.add(1);
        let open = Open {
            shared: Arc::clone(&worker.shared),
            worker: worker.index,
        };
        Self {
            sender,
            connection: Some(connection),
            endpoint,
            idle_since: None,
            _open: open,
        }
    }

    /// Moves the connection's reading and writing along; ready once it is over.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(connection) = &mut self.connection else {
            return Poll::Ready(());
        };
        match Pin::new(connection).poll(cx) {
            Poll::Pending => Poll::Pending,
            // What went wrong is told to whoever waits for the answer or its body.
            Poll::Ready(_) => {
                self.connection = None;
                Poll::Ready(())
            }
        }
    }

    /// Whether the last exchange is over and another one may begin.
    pub(crate) fn is_reusable(&self) -> bool {
        self.connection.is_some() && self.sender.is_ready()
    }

    /// Sends a request and waits for the head of its answer.
    pub(crate) async fn send(
        &mut self,
        request: Request<RequestBody>,
        deadline: &Deadline,
    ) -> Result<Response<Incoming>, SendError> {
        let mut answer = pin!(self.sender.try_send_request(request));
        let mut timer = pin!(None);
        let connection = &mut self.connection;
        poll_fn(|cx| {
            let over = match connection {
                Some(connection) => Pin::new(connection).poll(cx).is_ready(),
                None => true,
            };
            if let Poll::Ready(answer) = answer.as_mut().poll(cx) {
                return Poll::Ready(answer.map_err(explain));
            }
            if over {
                // Dropped, it hands back a request that it has not begun to write.
                *connection = None;
                return match answer.as_mut().poll(cx) {
                    Poll::Ready(answer) => Poll::Ready(answer.map_err(explain)),
                    Poll::Pending => Poll::Ready(Err(SendError::Lost(None))),
                };
            }
            deadline
                .poll(timer.as_mut(), cx)
                .map(|expired| Err(SendError::Expired(expired)))
        })
        .await
    }

    /// Takes the connection out of HTTP, after an answer of 101.
    pub(crate) async fn into_tunnel(mut self: Box<Self>) -> Option<Tunnel> {
        let mut connection = self.connection.take()?;
        poll_fn(|cx| connection.poll_without_shutdown(cx))
            .await
            .ok()?;
        let parts = connection.into_parts();
        Some(Tunnel {
            stream: parts.io.into_inner(),
            read: parts.read_buf,
        })
    }
}

fn explain(mut error: hyper::client::conn::TrySendError<Request<RequestBody>>) -> SendError {
    if let Some(request) = error.take_message() {
        return SendError::Unsent(Box::new(request));
    }
    let error = error.into_error();
    if error.is_user() {
        SendError::Upload
    } else if error.is_parse() {
        SendError::Invalid(error)
    } else {
        SendError::Lost(Some(error))
    }
}
