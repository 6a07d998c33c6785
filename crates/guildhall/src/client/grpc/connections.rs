//! The HTTP/2 connections to one endpoint: calls share them, and a few more are opened when those there are have as many
//! streams as the other side takes.
//!
//! They belong to the endpoint and end with it, once the calls under way have. Which endpoint takes a call is chosen for
//! each call, so that it does not matter how long connections live.

use std::{
    error::Error,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::{
    FutureExt,
    future::{BoxFuture, Shared},
};
use http::{Request, Response, Uri, uri::Authority};
use hyper::{
    body::Incoming,
    client::conn::http2::{Builder, SendRequest},
};
use hyper_util::{
    client::legacy::connect::HttpConnector,
    rt::{TokioExecutor, TokioIo, TokioTimer},
};
use tower::ServiceExt;

use super::{
    call::Sending,
    io::{Watch, Watched},
};
use crate::{client::transport::cause, clock};

/// The most connections to one endpoint.
const MOST: usize = 4;
/// How often a connection that is silent while calls wait on it is asked whether it lives. A shorter time is taken for an
/// attack by gRPC servers that keep to their defaults (5 min at least, "A9: server-side connection management").
const PING_EVERY: Duration = Duration::from_secs(300);
/// How long it may take to answer that.
const PING_TIMEOUT: Duration = Duration::from_secs(20);
/// How often a connection that is silent is asked by TCP, which notices that the machine is gone.
const TCP_KEEPALIVE: Duration = Duration::from_secs(30);

/// Opens connections.
#[derive(Clone)]
pub(crate) struct Dial {
    tcp: HttpConnector,
    http: Builder<TokioExecutor>,
}

impl Dial {
    pub(crate) fn new() -> Self {
        let mut tcp = HttpConnector::new();
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(Duration::from_secs(2)));
        tcp.set_keepalive(Some(TCP_KEEPALIVE));
        tcp.set_keepalive_interval(Some(TCP_KEEPALIVE / 3));
        tcp.set_keepalive_retries(Some(3));
        let mut http = Builder::new(TokioExecutor::new());
        http.timer(TokioTimer::new())
            .keep_alive_interval(PING_EVERY)
            .keep_alive_timeout(PING_TIMEOUT);
        Self { tcp, http }
    }

    async fn open(&self, authority: &Authority) -> Result<Connection, String> {
        let uri = Uri::builder()
            .scheme("http")
            .authority(authority.clone())
            .path_and_query("/");
        let uri = uri.build().map_err(|error| error.to_string())?;
        let told = |error: &(dyn Error + 'static)| cause(error);
        let stream = self.tcp.clone().oneshot(uri).await;
        let stream = stream.map_err(|error| told(&error))?.into_inner();
        let watch = Arc::new(Watch::new(clock::now()));
        let io = TokioIo::new(Watched::new(stream, watch.clone()));
        let made = self.http.handshake(io).await;
        let (sender, mut connection) = made.map_err(|error| told(&error))?;
        let most = Arc::new(AtomicUsize::new(connection.current_max_send_streams()));
        let (authority, told) = (authority.clone(), most.clone());
        tokio::spawn(async move {
            let ended = std::future::poll_fn(|cx| {
                let polled = connection.poll_unpin(cx);
                told.store(connection.current_max_send_streams(), Ordering::Relaxed);
                polled
            });
            if let Err(error) = ended.await {
                tracing::debug!(%authority, %error, "a connection ended");
            }
        });
        Ok(Connection {
            sender,
            watch,
            streams: Arc::default(),
            most,
        })
    }
}

/// Why a call was not answered.
#[derive(Clone, Debug)]
pub(super) enum SendError {
    /// There is no connection: the call was not sent.
    Connect(String),
    /// The other side has certainly not looked at it.
    Refused(String),
    /// Anything else: it may have been carried out.
    Broken(String),
}

/// The connections to one endpoint.
#[derive(Clone, Default)]
pub(crate) struct Connections(Arc<Mutex<Pool>>);

#[derive(Default)]
struct Pool {
    open: Vec<Connection>,
    /// All who need one more wait for the same.
    opening: Option<Opening>,
}

type Opening = Shared<BoxFuture<'static, Result<(), Arc<str>>>>;

#[derive(Clone)]
struct Connection {
    sender: SendRequest<Sending>,
    watch: Arc<Watch>,
    streams: Arc<AtomicUsize>,
    /// How many streams the other side takes at a time.
    most: Arc<AtomicUsize>,
}

/// A stream of a connection, until it is dropped.
#[derive(Debug)]
pub(super) struct Lease(Arc<AtomicUsize>);

impl Drop for Lease {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Connection {
    fn streams(&self) -> usize {
        self.streams.load(Ordering::Relaxed)
    }

    fn has_room(&self) -> bool {
        self.streams() < self.most.load(Ordering::Relaxed)
    }

    fn lease(&self) -> (Self, Lease) {
        self.streams.fetch_add(1, Ordering::Relaxed);
        (self.clone(), Lease(self.streams.clone()))
    }

    /// What an error says of the call.
    fn explain(&self, error: &hyper::Error) -> SendError {
        match is_refusal(error, || self.watch.is_alive(clock::now())) {
            true => SendError::Refused(cause(error)),
            false => SendError::Broken(cause(error)),
        }
    }
}

/// Whether the other side says that it has not looked at the stream.
fn is_refusal(error: &hyper::Error, alive: impl Fn() -> bool) -> bool {
    let mut source: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = source {
        if let Some(error) = error.downcast_ref::<h2::Error>() {
            let refused = error.reason() == Some(h2::Reason::REFUSED_STREAM);
            return error.is_remote() && (refused || (error.is_go_away() && alive()));
        }
        source = error.source();
    }
    false
}

impl Connections {
    fn pool(&self) -> MutexGuard<'_, Pool> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends a request to `authority`, which these are the connections to. Where a connection turns out to have ended
    /// before the request was written, it goes by another.
    pub(super) async fn send(
        &self,
        dial: &Dial,
        authority: &Authority,
        mut request: Request<Sending>,
    ) -> Result<(Response<Incoming>, Lease), SendError> {
        let mut tries = 0;
        loop {
            let (mut connection, lease) = self.connection(dial, authority).await?;
            let mut error = match connection.sender.try_send_request(request).await {
                Ok(response) => return Ok((response, lease)),
                Err(error) => error,
            };
            tries += 1;
            request = match error.take_message() {
                Some(unsent) if tries < MOST => unsent,
                Some(_) => return Err(SendError::Refused(cause(error.error()))),
                None => return Err(connection.explain(error.error())),
            };
            let streams = &connection.streams;
            (self.pool().open).retain(|open| !Arc::ptr_eq(&open.streams, streams));
        }
    }

    async fn connection(
        &self,
        dial: &Dial,
        authority: &Authority,
    ) -> Result<(Connection, Lease), SendError> {
        loop {
            let opening = {
                let mut pool = self.pool();
                pool.open.retain(|open| !open.sender.is_closed());
                let least = pool.open.iter().min_by_key(|open| open.streams());
                if let Some(least) = least
                    && (least.has_room() || pool.open.len() >= MOST)
                {
                    return Ok(least.lease());
                }
                match &pool.opening {
                    Some(opening) => opening.clone(),
                    None => pool.opening.insert(self.open(dial, authority)).clone(),
                }
            };
            opening
                .await
                .map_err(|cause| SendError::Connect(cause.to_string()))?;
        }
    }

    /// Opens one more in a task of its own: whoever waits for it may go away.
    fn open(&self, dial: &Dial, authority: &Authority) -> Opening {
        let (all, dial, authority) = (self.clone(), dial.clone(), authority.clone());
        let task = tokio::spawn(async move {
            let opened = dial.open(&authority).await;
            let mut pool = all.pool();
            pool.opening = None;
            pool.open.push(opened?);
            Ok(())
        });
        let told = async move {
            let opened = task.await.unwrap_or_else(|error| Err(error.to_string()));
            opened.map_err(Arc::from)
        };
        told.boxed().shared()
    }
}

impl fmt::Debug for Connections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let streams: Vec<_> = self.pool().open.iter().map(Connection::streams).collect();
        f.debug_tuple("Connections").field(&streams).finish()
    }
}
