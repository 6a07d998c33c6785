//! The gateway role: its documents come from the control plane in this process, or from control nodes far away, with a
//! copy on disk for the time when those are away.

use std::{
    future::Future,
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use guildhall_api::{
    client::{Client, ClientOptions, WatchScope},
    report::RemoteSink,
    source::{Origin, RemoteSource, SourceOptions, SourceStatus},
    wire::RoleStatus,
};
use guildhall_core::{
    document::{Kind, ServiceName},
    policy::report::ReportSink,
    source::{SnapshotSource, Update},
};
use guildhall_gateway::{
    AccessLog, Drained, ExactCount, Gateway, GatewayHandle, Limits, LogFormat, Options,
    RedisConfig, Reports, Status, Timeouts, UpstreamOptions,
};
use tokio::sync::{oneshot, watch};

use super::{Plane, StartError};
use crate::{
    node::{Probe, Role as NodeRole},
    settings::{self, Role, Settings},
};

/// What the gateway routes by.
const KINDS: [Kind; 5] = [
    Kind::Service,
    Kind::Instance,
    Kind::Gateway,
    Kind::HttpRoute,
    Kind::Policy,
];
/// The copy of the documents in the data directory.
const CACHE: &str = "gateway.cache";
/// How long the copy may take to be written when the node stops.
const KEEPING: Duration = Duration::from_secs(2);

/// A running gateway.
#[derive(Clone)]
pub(crate) struct Traffic {
    handle: Arc<Mutex<Option<GatewayHandle>>>,
    /// The source, where it is far away.
    remote: Option<Remote>,
}

/// A source far away, as far as this module sees it.
#[derive(Clone)]
struct Remote {
    /// How it is.
    status: watch::Receiver<SourceStatus>,
    /// Comes back once the gateway has let go of it, so that the copy on disk is written to the end.
    returned: Arc<Mutex<Option<oneshot::Receiver<RemoteSource>>>>,
}

/// Hands a source to the gateway and takes it back when the gateway drops it.
struct Lent {
    source: Option<RemoteSource>,
    back: Option<oneshot::Sender<RemoteSource>>,
}

impl SnapshotSource for Lent {
    fn next(&mut self) -> Pin<Box<dyn Future<Output = Option<Update>> + Send + '_>> {
        match &mut self.source {
            Some(source) => source.next(),
            None => Box::pin(std::future::ready(None)),
        }
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let (Some(source), Some(back)) = (self.source.take(), self.back.take()) {
            // Nobody waits for it if the gateway never started.
            let _ = back.send(source);
        }
    }
}

/// What gateways are called together where they report.
const NAME: &str = "gateway";

/// Starts the gateway; it routes as soon as its documents have come.
pub(super) async fn start(
    settings: &Settings,
    plane: Option<&Arc<Plane>>,
) -> Result<Traffic, StartError> {
    let mut remote = None;
    let source: Box<dyn SnapshotSource>;
    let sink: Box<dyn ReportSink>;
    match plane {
        Some(plane) => {
            source = Box::new(plane.source());
            sink = Box::new(plane.sink());
        }
        None => {
            let scope = WatchScope {
                kinds: KINDS.to_vec(),
                namespace: None,
                service: None,
            };
            let cache = SourceOptions::cached(settings.server.data_dir.join(CACHE));
            let client = Client::new(client_options(settings))?;
            sink = Box::new(RemoteSink::new(client.clone()));
            let remote_source = RemoteSource::start(client, scope, cache);
            let (back, returned) = oneshot::channel();
            remote = Some(Remote {
                status: remote_source.status(),
                returned: Arc::new(Mutex::new(Some(returned))),
            });
            source = Box::new(Lent {
                source: Some(remote_source),
                back: Some(back),
            });
        }
    }
    let reports = ServiceName::new(NAME).ok().map(|name| {
        let uname = rustix::system::uname();
        Reports::new(name, &uname.nodename().to_string_lossy(), sink)
    });
    let options = Options {
        redis: redis(&settings.rate_limit)?,
        ..options(&settings.gateway)
    };
    // Binding and starting threads is quick, but it is the system's to say how quick.
    let handle =
        tokio::task::spawn_blocking(move || Gateway::start_reporting(options, source, reports))
            .await;
    let handle = handle.map_err(|_| StartError::GivenUp("the gateway"))??;
    Ok(Traffic {
        handle: Arc::new(Mutex::new(Some(handle))),
        remote,
    })
}

fn client_options(settings: &Settings) -> ClientOptions {
    let server = &settings.server;
    let mut options = ClientOptions::new(&server.control);
    options.token = server
        .control_token
        .as_ref()
        .map(|token| token.reveal().to_owned());
    options.ca = server.control_ca.clone();
    options
}

/// Who counts rate limits of scope `Exact`, if that was set.
fn redis(given: &settings::RateLimit) -> Result<Option<RedisConfig>, StartError> {
    let Some(url) = &given.redis_url else {
        return Ok(None);
    };
    let config = RedisConfig::new(url.reveal())
        .and_then(|config| config.with_timeout(given.timeout.get()))
        .and_then(|config| config.with_prefix(&given.key_prefix))?;
    Ok(Some(config))
}

fn options(gateway: &settings::Gateway) -> Options {
    Options {
        listen: vec![gateway.listen],
        workers: gateway.workers,
        limits: Limits {
            head_bytes: usize::try_from(gateway.max_head.0).unwrap_or(usize::MAX),
            connections: gateway.max_connections,
            retry_body: usize::try_from(gateway.retry_body.0).unwrap_or(usize::MAX),
        },
        timeouts: Timeouts {
            request: gateway.request_timeout.get(),
            idle: gateway.idle_timeout.get(),
            ..Timeouts::default()
        },
        upstream: UpstreamOptions {
            connect_timeout: gateway.connect_timeout.get(),
            ..UpstreamOptions::default()
        },
        trusted_proxies: gateway.trusted_proxies.clone(),
        default_route: gateway.default_route,
        access_log: AccessLog {
            format: match gateway.access_log {
                settings::AccessLog::Off => LogFormat::Off,
                settings::AccessLog::Text => LogFormat::Text,
                settings::AccessLog::Json => LogFormat::Json,
            },
            file: gateway.access_log_file.clone(),
        },
        zone: gateway.zone.clone(),
        ..Options::default()
    }
}

impl Traffic {
    /// How the gateway is; `None` once it was stopped.
    pub(crate) fn status(&self) -> Option<Status> {
        self.handle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .as_ref()
            .map(GatewayHandle::status)
    }

    /// Where it takes traffic.
    pub(super) fn address(&self) -> Option<SocketAddr> {
        self.status()?.addresses.first().copied()
    }

    /// Reports how the role is.
    pub(super) fn probe(&self) -> Probe {
        let traffic = self.clone();
        Arc::new(move || {
            let source = traffic
                .remote
                .as_ref()
                .map(|remote| remote.status.borrow().clone());
            let status = traffic.status();
            let serves = status.as_ref().is_some_and(|status| status.ready);
            let detail = match (&status, source.as_ref().and_then(trouble)) {
                (None, _) => "stopped".to_owned(),
                (Some(status), _) if status.draining => "draining".to_owned(),
                (_, Some(trouble)) => trouble,
                _ if !serves => "waiting for its first documents".to_owned(),
                (Some(status), _) => alone(status).unwrap_or_default(),
            };
            let status = RoleStatus {
                name: Role::Gateway.word().to_owned(),
                healthy: detail.is_empty(),
                detail,
                addresses: status
                    .iter()
                    .flat_map(|status| &status.addresses)
                    .map(ToString::to_string)
                    .collect(),
            };
            NodeRole { serves, status }
        })
    }

    /// Takes no more requests and lets those under way finish, at most for `deadline`.
    pub(super) async fn stop(self, deadline: Duration) {
        let handle = self
            .handle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let Some(handle) = handle else { return };
        match tokio::task::spawn_blocking(move || handle.drain(deadline)).await {
            Ok(Drained::Finished) => {}
            Ok(Drained::Aborted(connections)) => {
                tracing::warn!(
                    connections,
                    "the gateway closed connections on their requests"
                );
            }
            Err(error) => tracing::error!(%error, "the gateway did not drain"),
        }
        let Some(remote) = self.remote else { return };
        let returned = remote
            .returned
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let kept = async {
            if let Some(returned) = returned
                && let Ok(source) = returned.await
            {
                source.stop().await;
            }
        };
        if tokio::time::timeout(KEEPING, kept).await.is_err() {
            tracing::warn!("the copy of the documents was not written to the end");
        }
    }
}

/// Which limits it counts for itself that it should count with others; it goes on all the same.
fn alone(status: &Status) -> Option<String> {
    let why = match &status.exact_count {
        _ if status.exact_limits == 0 => return None,
        ExactCount::Unset => "rate_limit.redis_url is not set",
        ExactCount::Away { why } => why,
        ExactCount::Connecting | ExactCount::Redis => return None,
    };
    Some(format!(
        "counts rate limits of scope Exact ({}) for itself: {why}",
        status.exact_limits
    ))
}

/// What is wrong with a source that is far away; the gateway goes on with what it has.
fn trouble(source: &SourceStatus) -> Option<String> {
    if let Some(held) = source.held {
        return Some(format!(
            "the control plane knows {} instances where there were {}: held back for a while",
            held.instances, held.known
        ));
    }
    let from = match source.origin {
        Origin::Nothing => "no documents yet",
        Origin::Disk => "working from the copy on disk",
        Origin::Live => "working from the last documents",
    };
    match (&source.server, &source.last_error) {
        (Some(_), _) => None,
        (None, Some(error)) => Some(format!("{from}; the control plane is away: {error}")),
        (None, None) => Some(format!("{from}; connecting to the control plane")),
    }
}
