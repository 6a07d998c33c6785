//! How a connection to an endpoint is made.

use std::{io, rc::Rc, sync::Arc};

use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, time::timeout_at};

use super::{Deadline, Upstream};
use crate::{
    clock,
    io::{BackendStream, Sent},
    snapshot::cluster::Endpoint,
    worker::Worker,
};

/// The most bytes of a backend's answer that are buffered, its head included.
const BUFFER: usize = 128 * 1024;
/// The most bytes that the head of a backend's answer may have.
const HEAD: usize = 64 * 1024;

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectError {
    /// The system refused, or the other end did.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// It took too long.
    #[error("the connection was not made in time")]
    TimedOut,
    /// The library refused.
    #[error("{0}")]
    Http(#[from] hyper::Error),
}

/// Makes a connection to `endpoint`, trying its addresses in order.
pub(crate) async fn connect(
    worker: &Rc<Worker>,
    endpoint: &Endpoint,
) -> Result<Box<Upstream>, ConnectError> {
    let deadline = clock::now() + worker.shared.options.upstream.connect_timeout;
    let mut failed = ConnectError::TimedOut;
    for address in &*endpoint.addresses {
        match timeout_at(deadline.into(), TcpStream::connect(address)).await {
            Err(_) => return Err(ConnectError::TimedOut),
            Ok(Err(error)) => failed = error.into(),
            Ok(Ok(stream)) => {
                stream.set_nodelay(true)?;
                let mut builder = http1::Builder::new();
                builder.max_buf_size(BUFFER).max_header_size(HEAD);
                let sent = Rc::new(Sent::default());
                let io = TokioIo::new(BackendStream::new(stream, Rc::clone(&sent)));
                let (sender, connection) = builder.handshake(io).await?;
                let state = Arc::clone(&endpoint.state);
                return Ok(Box::new(Upstream::new(
                    sender, connection, sent, state, worker,
                )));
            }
        }
    }
    Err(failed)
}

impl Deadline {
    /// Runs `work` until it is done or a limit is reached.
    pub(crate) async fn limit<T>(
        &self,
        work: impl Future<Output = T>,
    ) -> Result<T, super::Expired> {
        let mut work = std::pin::pin!(work);
        let mut timer = std::pin::pin!(None);
        std::future::poll_fn(|cx| match work.as_mut().poll(cx) {
            std::task::Poll::Ready(done) => std::task::Poll::Ready(Ok(done)),
            std::task::Poll::Pending => self.poll(timer.as_mut(), cx).map(Err),
        })
        .await
    }
}
