//! What a gateway can be told.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use guildhall_resilience::limiter::redis::RedisConfig;

use crate::peer::Cidr;

/// How a gateway listens, what it allows and how long it waits.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where traffic comes in. Port 0 takes a free one.
    pub listen: Vec<SocketAddr>,
    /// Worker threads; 0 is one per core.
    pub workers: usize,
    /// What a client may send.
    pub limits: Limits,
    /// How long things may take.
    pub timeouts: Timeouts,
    /// How backends are connected to.
    pub upstream: UpstreamOptions,
    /// Peers whose `X-Forwarded-*` headers are believed and extended. All others' are replaced.
    pub trusted_proxies: Vec<Cidr>,
    /// Whether `/{service}/…` reaches the services of the namespace `default` where no route
    /// matches; the service's name is taken off the path.
    pub default_route: bool,
    /// What is logged of each request.
    pub access_log: AccessLog,
    /// The zone this gateway runs in: instances of the same zone are preferred.
    pub zone: Option<String>,
    /// How often the addresses of instances that are given by name are looked up again.
    pub dns_refresh: Duration,
    /// The Redis that counts rate limits of scope `Exact`; without it the gateway counts them for itself. Who is told of
    /// its changes is the gateway's to say.
    pub redis: Option<RedisConfig>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: vec![SocketAddr::from(([0, 0, 0, 0], 8080))],
            workers: 0,
            limits: Limits::default(),
            timeouts: Timeouts::default(),
            upstream: UpstreamOptions::default(),
            trusted_proxies: Vec::new(),
            default_route: false,
            access_log: AccessLog::default(),
            zone: None,
            dns_refresh: Duration::from_secs(30),
            redis: None,
        }
    }
}

/// What a client may send. A head has at most 100 headers and its target at most 65,534 bytes;
/// both are the HTTP library's.
#[derive(Clone, Debug)]
pub struct Limits {
    /// The most bytes of a request's head; more are answered with 431. At least 8 KiB.
    pub head_bytes: usize,
    /// The most client connections over all workers; further ones are closed at once.
    pub connections: usize,
    /// The most bytes of a request's body that are held so that it can be sent again, where a policy retries. A larger
    /// one is passed on as it comes, and not retried.
    pub retry_body: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            head_bytes: 64 * 1024,
            connections: 65_536,
            retry_body: 64 * 1024,
        }
    }
}

/// How long things may take. They are checked once per quarter of the shortest of those that
/// watch connections (`head`, `idle`, `stream_idle`, `tunnel_idle`), at most once a second.
#[derive(Clone, Debug)]
pub struct Timeouts {
    /// From a request's first byte to the end of its head.
    pub head: Duration,
    /// How long a client's connection may stay without a request.
    pub idle: Duration,
    /// How long a request may go without a byte in either direction.
    pub stream_idle: Duration,
    /// The same for a tunnel after an upgrade.
    pub tunnel_idle: Duration,
    /// From the end of a request to the head of its answer, where the route says nothing; zero
    /// switches it off.
    pub request: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            head: Duration::from_secs(10),
            idle: Duration::from_secs(60 * 60),
            stream_idle: Duration::from_secs(5 * 60),
            tunnel_idle: Duration::from_secs(60 * 60),
            request: Duration::from_secs(15),
        }
    }
}

/// How backends are connected to.
#[derive(Clone, Debug)]
pub struct UpstreamOptions {
    /// How long a connection may take to be made.
    pub connect_timeout: Duration,
    /// The most idle connections that one worker keeps to one instance.
    pub idle_connections: usize,
    /// How long a connection is kept idle. Shorter than backends keep theirs, or requests meet
    /// connections that are being closed.
    pub idle_timeout: Duration,
}

impl Default for UpstreamOptions {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(5),
            idle_connections: 256,
            idle_timeout: Duration::from_secs(60),
        }
    }
}

/// What is logged of each request, and where to.
#[derive(Clone, Debug, Default)]
pub struct AccessLog {
    /// How a line looks.
    pub format: LogFormat,
    /// A file that lines are appended to; standard output if absent.
    pub file: Option<PathBuf>,
}

/// How a line of the access log looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// Nothing is logged.
    #[default]
    Off,
    /// One line for people, in the order of Envoy's default format.
    Text,
    /// One JSON object.
    Json,
}
