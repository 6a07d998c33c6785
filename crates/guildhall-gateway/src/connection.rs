//! One client's connection: hyper's server over the scanned socket, with the worker's orders.

use std::{
    future::Future,
    net::SocketAddr,
    pin::Pin,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll},
};

use hyper::{
    body::Incoming,
    server::conn::http1::{Builder, UpgradeableConnection},
    service::HttpService,
};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::{
    body::{BrokenOff, ResponseBody},
    chain,
    connections::{Entered, Order},
    io::{ClientStream, Observed},
    peer::Peer,
    worker::Worker,
};

/// The least that hyper takes as the size of its buffer.
const LEAST_BUFFER: usize = 8 * 1024;
/// The most bytes of a body that are buffered.
const BUFFER: usize = 128 * 1024;

/// Serves `stream` in a task of its own.
pub(crate) fn start(worker: &Rc<Worker>, stream: TcpStream, address: SocketAddr) {
    // Failing this costs latency, not correctness.
    let _ = stream.set_nodelay(true);
    let options = &worker.shared.options;
    let head = options.limits.head_bytes.max(LEAST_BUFFER);
    let observed = Arc::new(Observed::default());
    let peer = Peer::new(address, &options.trusted_proxies);
    let entered = Rc::new(worker.connections.enter(
        peer,
        Arc::clone(&observed),
        crate::clock::now(),
    ));
    let io = TokioIo::new(ClientStream::new(stream, head, observed));
    let service = {
        let (worker, entered) = (Rc::clone(worker), Rc::clone(&entered));
        hyper::service::service_fn(move |request| {
            chain::serve(Rc::clone(&worker), Rc::clone(&entered), request)
        })
    };
    // Slow heads and idle connections are the tick's: the library's own timer would be set and
    // cleared for every request.
    let mut builder = Builder::new();
    builder
        .header_read_timeout(None)
        .max_header_size(head)
        .max_buf_size(head.max(BUFFER));
    let connection = builder.serve_connection(io, service).with_upgrades();
    worker.stats().connections.add(1);
    let counted = Counted(Rc::clone(worker));
    tokio::task::spawn_local(Driven {
        connection: Box::pin(connection),
        entered,
        finishing: false,
        _counted: counted,
    });
}

/// Counts a connection as open.
struct Counted(Rc<Worker>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.stats().connections.subtract(1);
        // The last one ends a drain.
        if self.0.shared.is_draining() {
            self.0.shared.workers[self.0.index].changed.notify_one();
        }
    }
}

/// A connection that obeys.
struct Driven<S: HttpService<Incoming, ResBody = ResponseBody>> {
    connection: Pin<Box<UpgradeableConnection<TokioIo<ClientStream>, S>>>,
    entered: Rc<Entered>,
    finishing: bool,
    _counted: Counted,
}

impl<S> Future for Driven<S>
where
    S: HttpService<Incoming, ResBody = ResponseBody>,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    BrokenOff: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        this.entered.client.watch(cx.waker());
        match this.entered.client.order() {
            Order::Go => {}
            Order::Close => return Poll::Ready(()),
            Order::Finish if this.finishing => {}
            Order::Finish => {
                this.finishing = true;
                this.connection.as_mut().graceful_shutdown();
            }
        }
        // An error is the client's: a broken connection, or what the library refuses with an
        // answer of its own before the chain sees it.
        this.connection.as_mut().poll(cx).map(|result| {
            if let Err(error) = result {
                tracing::trace!(%error, "a client's connection ended early");
            }
        })
    }
}
