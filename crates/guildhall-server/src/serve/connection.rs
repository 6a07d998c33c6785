//! One connection, from its first byte to its last.

use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use http::Request;
use hyper::{body::Incoming, server::conn::http1, service::Service};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    sync::watch,
};
use tokio_rustls::TlsAcceptor;

use super::{Busy, Handle, Handling, idle::Activity};
use crate::http::Answer;

/// hyper's smallest: request heads are small, and 10,000 watchers hold a buffer each.
const BUFFER: usize = 16 * 1024;

/// Serves a connection in the clear.
pub(super) async fn plain<H: Handle>(
    stream: TcpStream,
    handler: Arc<H>,
    activity: Arc<Activity>,
    stop: watch::Receiver<bool>,
) {
    run(stream, handler, activity, stop).await;
}

/// Makes the TLS handshake, then serves the connection. A handshake that takes too long is idle, too.
pub(super) async fn encrypted<H: Handle>(
    acceptor: TlsAcceptor,
    stream: TcpStream,
    handler: Arc<H>,
    activity: Arc<Activity>,
    mut stop: watch::Receiver<bool>,
) {
    let handshake = tokio::select! {
        handshake = Box::pin(acceptor.accept(stream)) => handshake,
        () = activity.expired() => return,
        () = stopped(&mut stop) => return,
    };
    match handshake {
        Ok(stream) => run(stream, handler, activity, stop).await,
        Err(error) => tracing::debug!(%error, "a TLS handshake failed"),
    }
}

/// Waits until the listener is told to stop.
pub(super) async fn stopped(stop: &mut watch::Receiver<bool>) {
    // A sender that is gone is as good as told.
    let _ = stop.wait_for(|stop| *stop).await;
}

async fn run<H: Handle, T: AsyncRead + AsyncWrite + Unpin>(
    stream: T,
    handler: Arc<H>,
    activity: Arc<Activity>,
    mut stop: watch::Receiver<bool>,
) {
    let service = Tracked {
        handler,
        activity: activity.clone(),
    };
    let connection = http1::Builder::new()
        .max_buf_size(BUFFER)
        .pipeline_flush(true)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = activity.expired() => return,
        () = stopped(&mut stop) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        // A peer that goes away in the middle is its own affair.
        tracing::debug!(%error, "a connection broke off");
    }
}

/// Notes when the connection is busy, around the handler.
struct Tracked<H> {
    handler: Arc<H>,
    activity: Arc<Activity>,
}

impl<H: Handle> Service<Request<Incoming>> for Tracked<H> {
    type Response = Answer;
    type Error = Infallible;
    type Future = Answering;

    fn call(&self, request: Request<Incoming>) -> Answering {
        let busy = Some(self.activity.busy());
        Answering {
            handling: Some(self.handler.handle(request)),
            busy,
        }
    }
}

/// A request under way.
struct Answering {
    /// `None` once it has been answered.
    handling: Option<Handling>,
    busy: Option<Busy>,
}

impl Future for Answering {
    type Output = Result<Answer, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut answer = match self.handling.take() {
            Some(Handling::Done(answer)) => answer,
            Some(Handling::Later(mut later)) => match later.as_mut().poll(cx) {
                Poll::Ready(answer) => answer,
                Poll::Pending => {
                    self.handling = Some(Handling::Later(later));
                    return Poll::Pending;
                }
            },
            None => return Poll::Pending,
        };
        if let Some(busy) = self.busy.take() {
            answer.body_mut().hold(busy);
        }
        Poll::Ready(Ok(answer))
    }
}
