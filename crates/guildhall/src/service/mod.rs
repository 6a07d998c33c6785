//! A service, as its author describes it.

mod advertise;
mod lifecycle;
mod running;
mod settings;
mod signals;

use std::{path::PathBuf, sync::Arc, time::Duration};

use axum::Router;
use guildhall_api::client::ClientOptions;
use guildhall_core::{
    document::{Namespace, ServiceName, Timestamp},
    registry::{Contract, ContractFormat, Dependency, Endpoint},
};
pub use running::{Running, Stopped};
use settings::{Platform, Settings};

use tokio::sync::watch;

use crate::{
    CheckOutcome, ServiceClient,
    client::Transport,
    clock,
    discovery::Callee,
    identity::Identity,
    metrics::Metrics,
    policy::{Callees, Defaults},
    register::Health,
};
#[cfg(feature = "config")]
use crate::{ConfigBuilder, config::Owner};

/// A service: the author's routes, and what makes them a good citizen of a fleet.
///
/// ```no_run
/// use axum::{Router, routing::get};
/// use guildhall::Service;
///
/// #[tokio::main]
/// async fn main() -> Result<(), guildhall::ServiceError> {
///     guildhall::init_logging();
///     let routes = Router::new().route("/users", get(|| async { "[]" }));
///     Service::new("user-service", "1.0.0")
///         .describe("Keeps the users")
///         .endpoint("GET", "/users", "All users")
///         .health_check("database", || async { Ok::<(), std::io::Error>(()) })
///         .port(3001)
///         .router(routes)
///         .run()
///         .await
/// }
/// ```
///
/// What is wrong with what is set is told by [`Service::start`].
pub struct Service {
    settings: Settings,
    metrics: Metrics,
    callees: Arc<Callees>,
    defaults: Defaults,
    /// Who the process is, once that is known: told to what began before.
    identity: watch::Sender<Option<Arc<Identity>>>,
}

impl Service {
    /// The service `name` (a DNS-1123 name) in `version`. It listens on a free port of all
    /// interfaces unless told otherwise, and finds the platform through `GUILDHALL_SERVER`.
    pub fn new(name: &str, version: &str) -> Self {
        let metrics = Metrics::new();
        Self {
            settings: Settings::new(name, version),
            callees: Callees::new(Transport::new(name, version), metrics.clone()),
            defaults: Defaults::default(),
            identity: watch::Sender::new(None),
            metrics,
        }
    }

    /// Listens on this port of all interfaces; 0 takes a free one.
    pub fn port(mut self, port: u16) -> Self {
        self.settings.address.set_port(port);
        self
    }

    /// Listens on this address only: `127.0.0.1:3001`, `[::1]:0`.
    pub fn bind(mut self, address: &str) -> Self {
        match address.parse() {
            Ok(address) => self.settings.address = address,
            Err(_) => self.settings.problem(format!(
                "bind: {address:?} is not an address such as 127.0.0.1:3001"
            )),
        }
        self
    }

    /// The host under which others reach this process. Without it: the address it listens on, or
    /// the one by which it reaches the platform.
    pub fn advertise(mut self, host: &str) -> Self {
        self.settings.host = Some(host.to_owned());
        self
    }

    /// The author's routes.
    pub fn router(mut self, router: Router) -> Self {
        self.settings.router = router;
        self
    }

    /// Serves a gRPC service beside the routes, on the same port, as tonic's code generation makes them
    /// (`UsersServer::new(users)`). With the first one the port takes HTTP/2 in the clear besides HTTP/1.1, and the
    /// instance is registered as one that speaks gRPC. Needs the feature `grpc`.
    ///
    /// | | of a call |
    /// |---|---|
    /// | context | as of requests ([`RequestContext`](crate::RequestContext)): `x-request-id` and the trace context go along with calls that the handler makes, also while it streams its answer |
    /// | deadline | `grpc-timeout`, or Envoy's header: nobody waits any longer, so that the handler is dropped then and the call ends with `DEADLINE_EXCEEDED` |
    /// | a panic | ends it with `INTERNAL`, in a stream, too |
    /// | log and metrics | when its stream is over: `grpc_server_handled_total{grpc_service,grpc_method,grpc_code}`, `grpc_server_handling_seconds`, `grpc_server_active` |
    /// | health | `grpc.health.v1.Health` says what `/health/ready` does, of the empty name and of each service; `Watch` tells changes. One of the author's own takes its place |
    /// | stop | `Watch` says `NOT_SERVING` and ends; connections get a GOAWAY, calls under way end; what is still there at the drain deadline ends with `UNAVAILABLE` |
    ///
    /// A peer has 30 s to say what it speaks, a connection 200 calls at a time, and 5 minutes without any.
    ///
    /// ```no_run
    /// # async fn run() -> Result<(), guildhall::ServiceError> {
    /// use guildhall::Service;
    ///
    /// let service = Service::new("user-service", "1.0.0").port(3001);
    /// // What it calls belongs to the call that it answers.
    /// let orders = service.grpc("order-service");
    /// # let _ = orders;
    /// // As generated: UsersServer::new(Users { orders: OrdersClient::new(orders) })
    /// # let (_, users) = tonic_health::server::health_reporter();
    /// service.grpc_service(users).run().await
    /// # }
    /// ```
    #[cfg(feature = "grpc")]
    pub fn grpc_service<S>(mut self, service: S) -> Self
    where
        S: tower::Service<http::Request<tonic::body::Body>, Error = std::convert::Infallible>
            + tonic::server::NamedService
            + Clone
            + Send
            + Sync
            + 'static,
        S::Response: axum::response::IntoResponse,
        S::Future: Send + 'static,
    {
        if let Err(name) = self.settings.grpc.add(service) {
            self.settings
                .problem(format!("grpc_service: {name} is there already"));
        }
        self.settings.documents.grpc = true;
        self
    }

    /// What the service is for. Written when nobody has described the service; operators may
    /// change it.
    pub fn describe(mut self, description: &str) -> Self {
        self.settings.documents.description = Some(description.to_owned());
        self
    }

    /// Declares that the service calls another and waits for its answer.
    pub fn depends_on(mut self, service: &str) -> Self {
        match ServiceName::new(service) {
            Ok(service) => self.dependency(Dependency::from(service)),
            Err(error) => {
                self.settings.problem(format!("depends_on: {error}"));
                self
            }
        }
    }

    /// Declares a dependency in full: asynchronous, optional, of a version.
    pub fn dependency(mut self, dependency: Dependency) -> Self {
        self.settings.documents.dependencies.push(dependency);
        self
    }

    /// Declares an operation, for people and graphs.
    pub fn endpoint(mut self, method: &str, path: &str, description: &str) -> Self {
        self.settings.documents.endpoints.push(Endpoint {
            path: path.to_owned(),
            method: method.to_ascii_uppercase(),
            description: Some(description.to_owned()).filter(|text| !text.is_empty()),
        });
        self
    }

    /// What consumers may rely on, as an OpenAPI 3 document; compared with the live versions' when
    /// this one is registered.
    pub fn openapi(self, document: serde_json::Value) -> Self {
        self.contract(Contract {
            format: ContractFormat::OpenApi,
            document,
        })
    }

    /// What consumers may rely on, in any format.
    pub fn contract(mut self, contract: Contract) -> Self {
        self.settings.documents.contract = Some(contract);
        self
    }

    /// Adds a check to `/health` and `/health/ready`; while it fails, the platform sends no
    /// requests here. It answers a `bool`, a `Result` or a [`CheckOutcome`], within 2 s.
    pub fn health_check<F, Fut>(mut self, name: &str, check: F) -> Self
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future + Send + 'static,
        Fut::Output: Into<CheckOutcome>,
    {
        self.settings.checks.add(name, check);
        self
    }

    /// The megabytes (2^20 bytes) of resident memory from which on `memory_usage` is unhealthy;
    /// 500 by default.
    pub fn memory_limit(mut self, megabytes: u64) -> Self {
        self.settings.memory_limit = megabytes;
        self
    }

    /// Adds metadata to this instance, to be shown and filtered by.
    pub fn metadata(mut self, key: &str, value: &str) -> Self {
        self.settings
            .documents
            .metadata
            .insert(key.to_owned(), value.to_owned());
        self
    }

    /// Adds a tag to this instance.
    pub fn tag(mut self, tag: &str) -> Self {
        self.settings.documents.tags.push(tag.to_owned());
        self
    }

    /// The zone this instance runs in. Calls to other services prefer instances of it.
    pub fn zone(mut self, zone: &str) -> Self {
        self.settings.documents.zone = Some(zone.to_owned());
        self
    }

    /// The region this instance runs in.
    pub fn region(mut self, region: &str) -> Self {
        self.settings.documents.region = Some(region.to_owned());
        self
    }

    /// This instance's share of the traffic beside its peers'; 1 by default, 0 takes none.
    pub fn weight(mut self, weight: u16) -> Self {
        self.settings.documents.weight = weight;
        self
    }

    /// This instance's id, unique within the service; `host:port` by default, so that a process
    /// that is restarted takes the place of the one before.
    pub fn instance_id(mut self, id: &str) -> Self {
        self.settings.id = Some(id.to_owned());
        self
    }

    /// The namespace; `default` by default.
    pub fn namespace(mut self, namespace: &str) -> Self {
        match Namespace::new(namespace) {
            Ok(namespace) => self.settings.namespace = namespace,
            Err(error) => self.settings.problem(format!("namespace: {error}")),
        }
        self
    }

    /// The platform's address, or several separated by commas. Without it `GUILDHALL_SERVER` says;
    /// without that the service runs alone.
    pub fn platform(mut self, servers: &str) -> Self {
        let from_env = ClientOptions::from_env();
        let servers = ClientOptions::new([servers]).servers;
        self.settings.platform = Platform::Given(ClientOptions {
            servers,
            ..from_env
        });
        self
    }

    /// The platform with token, trusted certificates and timeouts.
    pub fn platform_options(mut self, options: ClientOptions) -> Self {
        self.settings.platform = Platform::Given(options);
        self
    }

    /// Runs without a platform, whatever the environment says.
    pub fn standalone(mut self) -> Self {
        self.settings.platform = Platform::None;
        self
    }

    /// The platform learns of this instance's health by heartbeats, a third of `ttl` apart; an
    /// instance that is silent for `ttl` is unhealthy. The default, with 15 s.
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.settings.documents.health = Health::Ttl(ttl);
        self
    }

    /// The platform learns of this instance's health by asking `/health/ready` this often.
    pub fn http_check(mut self, interval: Duration) -> Self {
        self.settings.documents.health = Health::Http(interval);
        self
    }

    /// The platform learns of this instance's health by asking `grpc.health.v1.Health` this often, which
    /// [`Service::grpc_service`] brings along. Needs the feature `grpc`.
    #[cfg(feature = "grpc")]
    pub fn grpc_check(mut self, interval: Duration) -> Self {
        self.settings.documents.health = Health::Grpc(interval);
        self
    }

    /// After how long without health this instance is forgotten; 10 minutes by default.
    pub fn deregister_after(mut self, after: Duration) -> Self {
        self.settings.documents.deregister_after = Some(after);
        self
    }

    /// How long the service goes on taking requests after it has left the registry, so that
    /// everybody has heard of it; 1 s by default.
    pub fn propagation(mut self, propagation: Duration) -> Self {
        self.settings.propagation = propagation;
        self
    }

    /// How long requests under way may take to finish when the service stops; 30 s by default.
    pub fn drain_deadline(mut self, deadline: Duration) -> Self {
        self.settings.drain = deadline;
        self
    }

    /// How many connections are served at a time; 10,000 by default. Others wait.
    pub fn max_connections(mut self, most: usize) -> Self {
        self.settings.max_connections = most.max(1);
        self
    }

    /// Where copies of what is known of other services are kept, so that a start without the
    /// platform finds them; `$XDG_CACHE_HOME/guildhall` or `~/.cache/guildhall` by default.
    pub fn cache_dir(mut self, folder: impl Into<PathBuf>) -> Self {
        self.settings.cache = Some(folder.into());
        self
    }

    /// Keeps no copies on disk.
    pub fn without_cache(mut self) -> Self {
        self.settings.cache = None;
        self
    }

    /// Does not serve `/health`, `/health/live`, `/health/ready` and `/metrics`, nor `grpc.health.v1.Health`: those paths are
    /// the author's. An [`Service::http_check`] then asks the author's `/health/ready`.
    pub fn without_endpoints(mut self) -> Self {
        self.settings.documents.endpoints_served = false;
        self
    }

    /// Calls another service by its name. May be taken before the service starts, to be given to
    /// its routes; calls can be made once it has started.
    pub fn client(&self, service: &str) -> ServiceClient {
        ServiceClient::new(
            self.callees
                .target(&Callee::own(service), clock::now(), wall()),
        )
    }

    /// Calls another service by gRPC, by its name: a channel for tonic's generated clients. May be taken before the
    /// service starts, as [`Service::client`].
    #[cfg(feature = "grpc")]
    pub fn grpc(&self, service: &str) -> crate::GrpcChannel {
        crate::GrpcChannel::new(
            self.callees
                .target(&Callee::own(service), clock::now(), wall()),
        )
    }

    /// The Redis in which rate limits of scope `Exact` are counted, together with gateways and other services:
    /// `redis://[user:password@]host[:port][/database]`. Without it `GUILDHALL_REDIS_URL` says; without that, and while Redis is
    /// away or takes longer than 50 ms, this process counts for itself. Needs the feature `redis`.
    #[cfg(feature = "redis")]
    pub fn redis(mut self, url: &str) -> Self {
        self.settings.redis = Some(url.to_owned());
        self
    }

    /// What holds for this service's calls where no policy says otherwise: sections as in a Policy's spec
    /// (docs/reference/policies.md), over those that [`ServiceClient`] tells, field by field.
    ///
    /// ```
    /// let service = guildhall::Service::new("order-service", "1.0.0").call_defaults(serde_json::json!({
    ///     "retry": {"attempts": 3, "backOff": {"baseInterval": "1s"}},
    ///     "bulkhead": {"maxConcurrentCalls": 100},
    /// }));
    /// # let _ = service;
    /// ```
    pub fn call_defaults(mut self, sections: serde_json::Value) -> Self {
        self.defaults.with(sections);
        self
    }

    /// The service's configuration `file` (`app.yaml`), read as a `T`: loaded before it is needed, then kept current. Say first
    /// what it depends on: namespace, platform, zone and the folder of copies. Needs the feature `config`.
    ///
    /// Once the service has started it reads as its instance: it may get a gray release, and the platform shows which
    /// version it runs.
    #[cfg(feature = "config")]
    pub fn config<T>(&self, file: &str) -> ConfigBuilder<T>
    where
        T: serde::de::DeserializeOwned + Send + Sync + 'static,
    {
        let owner = Owner {
            service: self.settings.name.clone(),
            namespace: self.settings.namespace.clone(),
            platform: self.settings.platform.options(),
            zone: self.settings.documents.zone.clone(),
            cache: self.settings.cache.clone(),
            identity: self.identity.subscribe(),
        };
        ConfigBuilder::new(owner, file)
    }

    /// The service's metrics, for those of the author's own.
    pub fn metrics(&self) -> Metrics {
        self.metrics.clone()
    }
}

/// The date, as documents state it.
fn wall() -> Timestamp {
    Timestamp::from_system(clock::wall())
}
