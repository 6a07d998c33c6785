//! Fake upstreams for active checks.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http_body_util::Full;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// An HTTP server that answers with the status it was told.
pub(crate) struct HttpUpstream {
    pub(crate) address: SocketAddr,
    status: Arc<AtomicU16>,
    pub(crate) requests: Arc<Mutex<Vec<http::Request<()>>>>,
    pub(crate) connections: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Drop for HttpUpstream {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl HttpUpstream {
    pub(crate) async fn start(body: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let status = Arc::new(AtomicU16::new(200));
        let requests: Arc<Mutex<Vec<http::Request<()>>>> = Arc::default();
        let connections = Arc::new(AtomicUsize::new(0));
        let (answer, seen, count) = (
            Arc::clone(&status),
            Arc::clone(&requests),
            Arc::clone(&connections),
        );
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                let (answer, seen) = (Arc::clone(&answer), Arc::clone(&seen));
                let service = service_fn(move |request: http::Request<hyper::body::Incoming>| {
                    seen.lock().unwrap().push(request.map(|_| ()));
                    let response = http::Response::builder()
                        .status(answer.load(Ordering::SeqCst))
                        .body(Full::new(Bytes::from_static(body.as_bytes())));
                    std::future::ready(Ok::<_, Infallible>(response.unwrap()))
                });
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        Self {
            address,
            status,
            requests,
            connections,
            task,
        }
    }

    pub(crate) fn answer(&self, status: u16) {
        self.status.store(status, Ordering::SeqCst);
    }

    pub(crate) fn count(&self) -> usize {
        self.requests.lock().unwrap().len()
    }
}

/// A listener that accepts and never says anything.
pub(crate) async fn silent() -> (SocketAddr, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let task = tokio::spawn(async move {
        let mut kept = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            kept.push(stream);
        }
    });
    (address, task)
}
