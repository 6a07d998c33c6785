//! How a service starts: bind, serve, ready, register. How it stops stands in
//! [`super::running`].

use std::{io, sync::Arc};

use axum::{Router, routing::get};
use guildhall_api::client::{Client, ClientOptions};
use http::header;
use tokio::{net::TcpListener, sync::watch};

use super::{Running, Service, Stopped, advertise, settings::Settings, signals::Signals};
use crate::{
    CheckOutcome, Registration, ServiceError, clock,
    discovery::Feed,
    health::{self, memory_usage, resident_bytes},
    identity::Identity,
    layers,
    metrics::OPENMETRICS,
    parts::Parts,
    phase::{Phase, Phases},
    policy,
    register::{Health, Registrar},
    serve::{Limits, Server, Stages},
    task::Task,
};

impl Service {
    /// Starts, runs until SIGTERM or ctrl-c, and stops in order. A second signal stops at once.
    pub async fn run(self) -> Result<(), ServiceError> {
        // Before anything else: a signal during the start must not be lost.
        let mut signals = Signals::install()?;
        let running = self.start().await?;
        let signal = signals.next().await;
        tracing::info!(signal, "stopping");
        tokio::select! {
            Stopped { cut } = running.stop() => tracing::info!(cut, "stopped"),
            signal = signals.next() => tracing::warn!(signal, "stopping at once"),
        }
        Ok(())
    }

    /// Starts: listens, serves, becomes ready, and begins to register. Does not wait for the
    /// platform.
    pub async fn start(self) -> Result<Running, ServiceError> {
        let Self {
            mut settings,
            metrics,
            callees,
            defaults,
            identity: told,
        } = self;
        let platform = settings.platform.options();

        let address = settings.address;
        let bind = |cause: io::Error| ServiceError::Bind { address, cause };
        let listener = TcpListener::bind(address).await.map_err(bind)?;
        let bound = listener.local_addr().map_err(bind)?;
        let host = match settings.host.clone() {
            Some(host) => host,
            None => advertise::host(bound, platform.as_ref()).await,
        };
        #[cfg(feature = "redis")]
        let redis = settings.redis();
        let mut problems = callees.discovery.bad_names();
        let wrong = defaults.problems().into_iter();
        problems.extend(wrong.map(|problem| format!("call_defaults: {problem}")));
        let identity = Arc::new(settings.identity(&host, bound.port(), problems)?);
        let client = platform.clone().map(Client::new).transpose()?;
        told.send_replace(Some(identity.clone()));

        let phases = Phases::new();
        let stages = Stages::new();
        let app_router = std::mem::take(&mut settings.router);
        let parts = Arc::new(Parts {
            phases: phases.clone(),
            checks: checks(&mut settings, &phases),
            metrics,
        });
        let served = settings.documents.endpoints_served;
        let author = layers::chain(app_router, parts.metrics.http.clone());
        #[cfg(feature = "grpc")]
        let author = match settings.grpc.is_empty() {
            true => author,
            false => std::mem::take(&mut settings.grpc).before(author, &parts, &stages, served),
        };
        let app = app(author, &parts, &identity, served);

        let feed = client.map(|client| Feed {
            client,
            namespace: identity.namespace.clone(),
            zone: settings.documents.zone.clone(),
            cache: settings.cache.clone(),
            owner: identity.service.clone(),
        });
        let namespace = identity.namespace.clone();
        callees.start(namespace, &defaults, clock::now(), super::wall());
        #[cfg(feature = "redis")]
        if let Some(redis) = redis {
            callees.transport().exact.start(redis);
        }
        callees.discovery.start(feed.clone());
        let (stop_calls, calls_stopping) = watch::channel(false);
        let policies = Task::spawn(policy::follow(
            callees.clone(),
            feed,
            identity.clone(),
            calls_stopping,
        ));
        let server = Server::start(
            listener,
            app,
            Limits {
                connections: settings.max_connections,
                grpc: settings.documents.grpc,
            },
            stages,
        );
        phases.advance(Phase::Running);
        tracing::info!(service = %identity.service, version = %identity.version, address = %bound, "serving");

        let (stop, stopping) = watch::channel(false);
        let (status, registration) = watch::channel(Registration::default());
        let registrar = match platform {
            Some(options) => {
                let client = Client::new(beating(options, settings.documents.health))?;
                status.send_replace(Registration::Trying { error: None });
                let (identity, parts) = (identity.clone(), parts.clone());
                let documents = settings.documents;
                let registrar = Registrar {
                    client,
                    identity,
                    documents,
                    host,
                    port: bound.port(),
                    parts,
                    status,
                };
                Some(Task::spawn(registrar.run(stopping)))
            }
            None => {
                tracing::info!("no platform is set (GUILDHALL_SERVER): running alone");
                None
            }
        };
        Ok(Running {
            address: bound,
            identity,
            registration,
            parts,
            callees,
            policies,
            stop_calls,
            server,
            registrar,
            stop,
            propagation: settings.propagation,
            drain: settings.drain,
        })
    }
}

/// The options for heartbeats: one that takes longer than the time between two is of no use.
fn beating(options: ClientOptions, health: Health) -> ClientOptions {
    let Health::Ttl(ttl) = health else {
        return options;
    };
    ClientOptions {
        timeout: options.timeout.min(ttl / 3),
        ..options
    }
}

/// The author's checks and those that every service has.
fn checks(settings: &mut Settings, phases: &Phases) -> health::Checks {
    let mut checks = std::mem::take(&mut settings.checks);
    let phases = phases.clone();
    checks.add("service_status", move || {
        let phase = phases.get();
        let outcome = match phase {
            Phase::Running => CheckOutcome::healthy(),
            other => CheckOutcome::unhealthy(format!("the service is {}", other.word())),
        };
        std::future::ready(outcome.with_details(serde_json::json!({"status": phase.word()})))
    });
    let limit = settings.memory_limit;
    checks.add("memory_usage", move || {
        std::future::ready(memory_usage(resident_bytes(), limit))
    });
    checks
}

/// What is the author's, and beside it the SDK's own, which is not logged and not counted: it is asked every few seconds
/// and would drown the rest.
fn app(author: Router, parts: &Arc<Parts>, identity: &Arc<Identity>, served: bool) -> Router {
    if !served {
        return author;
    }
    let metrics = parts.metrics.clone();
    let metrics =
        get(move || std::future::ready(([(header::CONTENT_TYPE, OPENMETRICS)], metrics.encode())));
    health::routes(parts.clone(), identity.clone())
        .route("/metrics", metrics)
        .fallback_service(author)
}
