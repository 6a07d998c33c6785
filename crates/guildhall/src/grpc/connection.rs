//! A connection that speaks HTTP/1 or HTTP/2, and what a slow or silent peer may not do with it.

use std::{
    pin::{Pin, pin},
    task::{Context, Poll},
    time::Duration,
};

use axum::body::Body;
use bytes::Bytes;
use http::Request;
use http_body::{Frame, SizeHint};
use hyper::{body::Incoming, server::conn::http2, service::HttpService, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::{net::TcpStream, sync::watch, time::timeout};

use super::preface::{Speaks, tell};
use crate::serve::{Stage, Stages, http1};

/// How many calls a connection has at a time. Callers open another one for more.
const MOST_STREAMS: u32 = 200;
/// How often a silent peer is asked whether it lives.
const PING_EVERY: Duration = Duration::from_secs(60);
/// How long it may take to answer that.
const PING_TIMEOUT: Duration = Duration::from_secs(20);
/// How long a connection may be without a call (gRPC's A9, "MAX_CONNECTION_IDLE"). Callers are told and open another one.
const IDLE: Duration = Duration::from_secs(300);

type Error = Box<dyn std::error::Error + Send + Sync>;

/// Serves a connection until it ends, or, when the service stops, until its calls have.
pub(crate) async fn serve<S>(stream: TcpStream, service: S, stages: Stages) -> Result<(), Error>
where
    S: HttpService<Incoming, ResBody = Body> + Clone + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Into<Error>,
{
    let told = tokio::select! {
        told = tell(stream) => told,
        // It has asked for nothing yet.
        () = stages.reached(Stage::Finishing) => return Ok(()),
    };
    let (speaks, io) = told?;
    match speaks {
        Speaks::Http1 => Ok(http1(TokioIo::new(io), service, stages).await?),
        Speaks::Http2 => {
            let (busy, calls) = watch::channel(0);
            let service = service_fn(move |request: Request<Incoming>| {
                let busy = Busy::begin(&busy);
                let answer = service.clone().call(request);
                async move { Ok::<_, S::Error>(answer.await?.map(|body| Counted { body, _busy: busy })) }
            });
            let mut http = http2::Builder::new(TokioExecutor::new());
            http.timer(TokioTimer::new())
                .max_concurrent_streams(MOST_STREAMS)
                .keep_alive_interval(PING_EVERY)
                .keep_alive_timeout(PING_TIMEOUT);
            let mut connection = pin!(http.serve_connection(TokioIo::new(io), service));
            tokio::select! {
                ended = connection.as_mut() => return Ok(ended?),
                () = stages.reached(Stage::Finishing) => {}
                () = idle(calls) => {}
            }
            connection.as_mut().graceful_shutdown();
            Ok(connection.await?)
        }
    }
}

/// Waits until a connection has had no call for long.
async fn idle(mut calls: watch::Receiver<usize>) {
    loop {
        let none = calls.wait_for(|calls| *calls == 0).await.is_ok();
        // The connection holds the other end.
        if !none || timeout(IDLE, calls.changed()).await.is_err() {
            return;
        }
    }
}

/// A call of a connection, until its answer has been sent.
struct Busy(watch::Sender<usize>);

impl Busy {
    fn begin(calls: &watch::Sender<usize>) -> Self {
        calls.send_modify(|calls| *calls += 1);
        Self(calls.clone())
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.send_modify(|calls| *calls -= 1);
    }
}

struct Counted {
    body: Body,
    _busy: Busy,
}

impl http_body::Body for Counted {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_connection_is_idle_while_it_has_no_call() {
        let (calls, seen) = watch::channel(0);
        let waits = tokio::spawn(idle(seen));
        tokio::time::sleep(IDLE / 2).await;
        let (first, second) = (Busy::begin(&calls), Busy::begin(&calls));
        tokio::time::sleep(IDLE * 3).await;
        drop(first);
        tokio::time::sleep(IDLE * 3).await;
        assert!(!waits.is_finished());
        drop(second);
        tokio::time::sleep(IDLE / 2).await;
        assert!(!waits.is_finished());
        tokio::time::sleep(IDLE).await;
        assert!(waits.is_finished());
    }
}
