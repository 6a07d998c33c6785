//! The HTTP/2 connections to one endpoint: calls share them, and a few more are opened when those there are have as many
//! streams as the other side takes. When there are as many as may be, calls wait here, where whichever stream ends first
//! makes room, and where nothing that happens to a connection happens to them.
//!
//! They belong to the endpoint and end with it, once the calls under way have. Which endpoint takes a call is chosen for
//! each call, so that it does not matter how long connections live.

use std::{
    error::Error,
    fmt,
    pin::pin,
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
use tokio::sync::Notify;
use tower::ServiceExt;

use super::{call::Sending, io::Watched};
use crate::client::transport::cause;

/// The most connections to one endpoint.
const MOST: usize = 4;
/// How long the other side may take to say what it takes, once TCP has connected: until then nothing is sent, so that what
/// nobody reads is called elsewhere, and a small number of streams is kept to from the first.
const SETTINGS_TIMEOUT: Duration = Duration::from_secs(5);
/// How many streams the other side takes before it has said so: a number that it cannot say (RFC 9113, 6.5.1).
const UNTOLD: usize = usize::MAX - 1;
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
            .initial_max_send_streams(UNTOLD)
            .keep_alive_interval(PING_EVERY)
            .keep_alive_timeout(PING_TIMEOUT);
        Self { tcp, http }
    }

    /// A connection whose other side has said how many streams it takes. `room` is told when there are more.
    async fn open(&self, authority: &Authority, room: Arc<Notify>) -> Result<Connection, String> {
        let uri = Uri::builder()
            .scheme("http")
            .authority(authority.clone())
            .path_and_query("/");
        let uri = uri.build().map_err(|error| error.to_string())?;
        let told = |error: &(dyn Error + 'static)| cause(error);
        let stream = self.tcp.clone().oneshot(uri).await;
        let stream = stream.map_err(|error| told(&error))?.into_inner();
        let settled = Arc::new(Notify::new());
        let io = TokioIo::new(Watched::new(stream, settled.clone()));
        let made = self.http.handshake(io).await;
        let (sender, mut connection) = made.map_err(|error| told(&error))?;
        let settings = async {
            while connection.current_max_send_streams() == UNTOLD {
                tokio::select! {
                    ended = &mut connection => {
                        ended.map_err(|error| told(&error))?;
                        return Err("it hung up before it said anything".to_owned());
                    }
                    () = settled.notified() => {}
                }
            }
            Ok(())
        };
        let settings = tokio::time::timeout(SETTINGS_TIMEOUT, settings).await;
        settings.map_err(|_| format!("no HTTP/2 within {SETTINGS_TIMEOUT:?}"))??;
        let most = Arc::new(AtomicUsize::new(connection.current_max_send_streams()));
        let opened = Connection {
            sender,
            streams: Arc::default(),
            most: most.clone(),
            room: room.clone(),
        };
        let authority = authority.clone();
        tokio::spawn(async move {
            let ended = loop {
                tokio::select! {
                    ended = &mut connection => break ended,
                    () = settled.notified() => {
                        let now = connection.current_max_send_streams();
                        if most.swap(now, Ordering::Relaxed) < now {
                            room.notify_waiters();
                        }
                    }
                }
            };
            if let Err(error) = ended {
                tracing::debug!(%authority, %error, "a connection ended");
            }
            drop(connection);
            // Its place may be taken by a new one.
            room.notify_waiters();
        });
        Ok(opened)
    }
}

/// Why a call was not answered.
#[derive(Clone, Debug)]
pub(super) enum SendError {
    /// There is no connection: the call was not sent.
    Connect(String),
    /// The other side has certainly not looked at it. In order, it was because the connection was going to end.
    Refused { cause: String, in_order: bool },
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
    /// Those wait here for whom no connection has room.
    room: Arc<Notify>,
}

type Opening = Shared<BoxFuture<'static, Result<(), Arc<str>>>>;

#[derive(Clone)]
struct Connection {
    sender: SendRequest<Sending>,
    streams: Arc<AtomicUsize>,
    /// How many streams the other side takes at a time.
    most: Arc<AtomicUsize>,
    room: Arc<Notify>,
}

/// A stream of a connection, until it is dropped.
#[derive(Debug)]
pub(super) struct Lease {
    streams: Arc<AtomicUsize>,
    room: Arc<Notify>,
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.streams.fetch_sub(1, Ordering::Relaxed);
        self.room.notify_one();
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
        let lease = Lease {
            streams: self.streams.clone(),
            room: self.room.clone(),
        };
        (self.clone(), lease)
    }
}

/// What an error says of the call.
fn explain(error: &hyper::Error) -> SendError {
    let said = cause(error);
    match refusal(error) {
        Some(in_order) => SendError::Refused {
            cause: said,
            in_order,
        },
        None => SendError::Broken(said),
    }
}

/// Whether the other side says that it has not looked at the stream, and if so, whether that was in order. Of a GOAWAY
/// only those streams are told which it leaves out; the others learn of a broken pipe when the connection ends.
fn refusal(error: &hyper::Error) -> Option<bool> {
    let mut source: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = source {
        if let Some(error) = error.downcast_ref::<h2::Error>() {
            let (reason, leaving) = (error.reason(), error.is_go_away());
            let refused = leaving || reason == Some(h2::Reason::REFUSED_STREAM);
            return (refused && error.is_remote())
                .then_some(leaving && reason == Some(h2::Reason::NO_ERROR));
        }
        source = error.source();
    }
    None
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
                Some(_) => {
                    let (cause, in_order) = (cause(error.error()), true);
                    return Err(SendError::Refused { cause, in_order });
                }
                None => return Err(explain(error.error())),
            };
            let streams = &connection.streams;
            (self.pool().open).retain(|open| !Arc::ptr_eq(&open.streams, streams));
            connection.room.notify_waiters();
        }
    }

    async fn connection(
        &self,
        dial: &Dial,
        authority: &Authority,
    ) -> Result<(Connection, Lease), SendError> {
        let room = self.pool().room.clone();
        let mut failed = None;
        loop {
            let mut freed = pin!(room.notified());
            // Before looking, so that nothing is missed in between.
            freed.as_mut().enable();
            let opening = {
                let mut pool = self.pool();
                pool.open.retain(|open| !open.sender.is_closed());
                let least = pool.open.iter().filter(|open| open.has_room());
                if let Some(least) = least.min_by_key(|open| open.streams()) {
                    return Ok(least.lease());
                }
                match (failed.take(), &pool.opening) {
                    (Some(cause), _) if pool.open.is_empty() => {
                        return Err(SendError::Connect(cause));
                    }
                    // Those that there are will do, some time.
                    (Some(_), _) => None,
                    (None, Some(opening)) => Some(opening.clone()),
                    (None, None) if pool.open.len() >= MOST => None,
                    (None, None) => Some(pool.opening.insert(self.open(dial, authority)).clone()),
                }
            };
            let Some(opening) = opening else {
                freed.await;
                continue;
            };
            // Whichever comes first: a new one, or room in those that there are.
            tokio::select! {
                opened = opening => {
                    failed = opened.err().map(|cause: Arc<str>| cause.to_string());
                }
                () = freed => {}
            }
        }
    }

    /// Opens one more in a task of its own: whoever waits for it may go away.
    fn open(&self, dial: &Dial, authority: &Authority) -> Opening {
        let (all, dial, authority) = (self.clone(), dial.clone(), authority.clone());
        let task = tokio::spawn(async move {
            let room = all.pool().room.clone();
            let opened = dial.open(&authority, room).await;
            let mut pool = all.pool();
            pool.opening = None;
            pool.open.push(opened?);
            pool.room.notify_waiters();
            Ok(())
        });
        let all = self.clone();
        let told = async move {
            let opened = task.await.unwrap_or_else(|error| {
                all.pool().opening = None;
                Err(error.to_string())
            });
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
