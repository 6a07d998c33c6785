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
use http::{HeaderName, HeaderValue, Request, Response};
use http_body::{Body, Frame};
use hyper::{
    body::Incoming,
    client::conn::http1::{Connection, SendRequest},
};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::{Deadline, Expired, quiet::Quiet};
use crate::{
    body::RequestBody,
    io::{BackendStream, Sent},
    shared::Shared,
    snapshot::EndpointState,
    worker::Worker,
};

type Io = TokioIo<BackendStream>;

/// How often a connection and its answer are polled in turn, as long as one wakes the other,
/// before other tasks have theirs.
const ROUNDS: usize = 4;

/// A connection to an endpoint. Belongs to one request or to the pool.
#[derive(Debug)]
pub(crate) struct Upstream {
    sender: SendRequest<RequestBody>,
    /// `None` once it is over.
    connection: Option<Connection<Io, RequestBody>>,
    quiet: Quiet,
    sent: Rc<Sent>,
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
        sent: Rc<Sent>,
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
            quiet: Quiet::new(),
            sent,
            endpoint,
            idle_since: None,
            _open: open,
        }
    }

    /// Moves the connection's reading and writing along; ready once it is over.
    pub(super) fn poll(&mut self) -> Poll<()> {
        let waker = self.quiet.waker();
        let Some(connection) = &mut self.connection else {
            return Poll::Ready(());
        };
        match Pin::new(connection).poll(&mut Context::from_waker(&waker)) {
            Poll::Pending => Poll::Pending,
            // What went wrong is told to whoever waits for the answer or its body.
            Poll::Ready(_) => {
                self.connection = None;
                Poll::Ready(())
            }
        }
    }

    /// Whether the last exchange is over and another one may begin.
    pub(crate) fn is_reusable(&mut self) -> bool {
        // The connection notices the end of an exchange when it is polled.
        self.sender.is_ready() || {
            let _inside = self.quiet.enter();
            self.poll().is_pending() && self.sender.is_ready()
        }
    }

    /// Sends a request and waits for the head of its answer. With `keep`, a request without body
    /// can be had back from [`Upstream::sent`] should the connection be lost.
    pub(crate) async fn send(
        &mut self,
        request: Request<RequestBody>,
        keep: bool,
        deadline: &Deadline,
    ) -> Result<Response<Incoming>, SendError> {
        self.sent.arm(keep);
        let waker = self.quiet.waker();
        let inside = self.quiet.enter();
        let mut answer = pin!(self.sender.try_send_request(request));
        drop(inside);
        let mut timer = pin!(None);
        let (connection, quiet) = (&mut self.connection, &self.quiet);
        poll_fn(|cx| {
            quiet.belong_to(cx);
            let inside = quiet.enter();
            let mut within = Context::from_waker(&waker);
            for _ in 0..ROUNDS {
                let over = match connection {
                    Some(connection) => Pin::new(connection).poll(&mut within).is_ready(),
                    None => true,
                };
                if let Poll::Ready(answer) = answer.as_mut().poll(&mut within) {
                    return Poll::Ready(answer.map_err(explain));
                }
                if over {
                    // Dropped, it hands back a request that it has not begun to write.
                    *connection = None;
                    return match answer.as_mut().poll(&mut within) {
                        Poll::Ready(answer) => Poll::Ready(answer.map_err(explain)),
                        Poll::Pending => Poll::Ready(Err(SendError::Lost(None))),
                    };
                }
                if !inside.noted() {
                    return deadline
                        .poll(timer.as_mut(), cx)
                        .map(|expired| Err(SendError::Expired(expired)));
                }
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await
    }

    /// The request that was kept, once more.
    pub(crate) fn sent(&self) -> Option<Request<RequestBody>> {
        read_back(&self.sent.take())
    }

    /// The next piece of the answer's body.
    pub(crate) fn poll_body(
        &mut self,
        body: &mut Incoming,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        self.quiet.belong_to(cx);
        let waker = self.quiet.waker();
        let inside = self.quiet.enter();
        for _ in 0..ROUNDS {
            // The body only moves if its connection does.
            for moves in [false, true] {
                if moves {
                    let _ = self.poll();
                }
                let frame = Pin::new(&mut *body).poll_frame(&mut Context::from_waker(&waker));
                if frame.is_ready() {
                    return frame;
                }
            }
            if !inside.noted() {
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Takes the connection out of HTTP, after an answer of 101.
    pub(crate) async fn into_tunnel(mut self: Box<Self>) -> Option<Tunnel> {
        let mut connection = self.connection.take()?;
        poll_fn(|cx| connection.poll_without_shutdown(cx))
            .await
            .ok()?;
        let parts = connection.into_parts();
        Some(Tunnel {
            stream: parts.io.into_inner().into_inner(),
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

/// Reads a request without body that hyper wrote: one space between words, one colon and one space
/// in each header, an empty line at the end. `None` if not all of it is there.
fn read_back(bytes: &[u8]) -> Option<Request<RequestBody>> {
    let head = std::str::from_utf8(bytes).ok()?.strip_suffix("\r\n\r\n")?;
    let mut lines = head.split("\r\n");
    let mut words = lines.next()?.split(' ');
    let mut request = Request::new(RequestBody::default());
    *request.method_mut() = words.next()?.parse().ok()?;
    *request.uri_mut() = words.next()?.parse().ok()?;
    for line in lines {
        let (name, value) = line.split_once(": ").or(line.split_once(':'))?;
        let (name, value) = (
            name.parse::<HeaderName>().ok()?,
            HeaderValue::from_str(value).ok()?,
        );
        request.headers_mut().append(name, value);
    }
    Some(request)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_read_back_as_it_was_written() {
        let written = "GET /a?b=c HTTP/1.1\r\nhost: shop\r\nx: 1\r\nx: 2\r\nempty: \r\n\r\n";
        let request = read_back(written.as_bytes()).unwrap();
        assert_eq!(
            (request.method().as_str(), request.uri().to_string()),
            ("GET", "/a?b=c".to_owned())
        );
        let headers: Vec<_> = request
            .headers()
            .iter()
            .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
            .collect();
        assert_eq!(headers, ["host: shop", "x: 1", "x: 2", "empty: "]);
        for part in ["", "GET / HTTP/1.1\r\n", "GET / HTTP/1.1\r\nhost: a\r\n"] {
            assert!(read_back(part.as_bytes()).is_none(), "{part:?}");
        }
    }
}
