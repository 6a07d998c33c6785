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
};
use tokio_rustls::TlsAcceptor;

use super::{
    Busy, Handle, Handling,
    idle::{Activity, Order},
};
use crate::http::Answer;

/// hyper's smallest: request heads are small, and 10,000 watchers hold a buffer each.
const BUFFER: usize = 16 * 1024;

/// Serves a connection in the clear.
pub(super) async fn plain<H: Handle>(stream: TcpStream, handler: Arc<H>, activity: Arc<Activity>) {
    run(stream, handler, activity).await;
}

/// Makes the TLS handshake, then serves the connection. A handshake that takes too long is idle, too.
pub(super) async fn encrypted<H: Handle>(
    acceptor: TlsAcceptor,
    stream: TcpStream,
    handler: Arc<H>,
    activity: Arc<Activity>,
) {
    let handshake = tokio::select! {
        handshake = Box::pin(acceptor.accept(stream)) => handshake,
        _ = activity.ordered() => return,
    };
    match handshake {
        Ok(stream) => run(stream, handler, activity).await,
        Err(error) => tracing::debug!(%error, "a TLS handshake failed"),
    }
}

async fn run<H: Handle, T: AsyncRead + AsyncWrite + Unpin>(
    stream: T,
    handler: Arc<H>,
    activity: Arc<Activity>,
) {
    let service = Tracked {
        handler,
        activity: activity.clone(),
    };
    let connection = http1::Builder::new()
        .max_buf_size(BUFFER)
        // Heads and small bodies are copied into one buffer and leave in one write. `pipeline_flush` would do that, too,
        // but lifts hyper's bound on what waits for a reader that has stopped reading.
        .writev(false)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        biased;
        ended = connection.as_mut() => ended,
        order = activity.ordered() => match order {
            Order::Close => return,
            Order::Finish => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        },
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

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use bytes::Bytes;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;
    use crate::{http::AnswerBody, serve::idle::Idle};
    use futures_util::StreamExt;

    /// Answers with more events than anybody should keep, and counts those that were taken.
    #[derive(Default)]
    struct Plenty(Arc<AtomicUsize>);

    const PIECE: Bytes = Bytes::from_static(&[b'x'; BUFFER]);

    impl Handle for Plenty {
        fn handle(self: &Arc<Self>, _: Request<Incoming>) -> Handling {
            let taken = self.0.clone();
            let pieces = futures_util::stream::repeat_with(move || {
                taken.fetch_add(1, Ordering::Relaxed);
                Ok(PIECE)
            });
            let pieces = pieces.take(4096);
            Handling::Done(http::Response::new(AnswerBody::stream(Box::pin(pieces))))
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_waits_for_a_reader_that_stopped_reading_is_bounded() {
        let (mut reader, stream) = tokio::io::duplex(1024);
        let handler = Arc::new(Plenty::default());
        let taken = handler.0.clone();
        let idle = Idle::start(std::time::Duration::from_secs(60));
        let served = tokio::spawn(run(stream, handler, idle.enter()));
        reader
            .write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
            .await
            .unwrap();
        reader.read_exact(&mut [0; 12]).await.unwrap();
        // With the clock paused this returns once nothing else has anything to do.
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        let waiting = taken.load(Ordering::Relaxed);
        assert!(
            waiting <= 4,
            "{waiting} pieces wait for a reader that does not read"
        );
        reader.read_exact(&mut vec![0; 20 * BUFFER]).await.unwrap();
        assert!(
            taken.load(Ordering::Relaxed) >= 20,
            "it reads on, and gets on"
        );
        served.abort();
    }
}
