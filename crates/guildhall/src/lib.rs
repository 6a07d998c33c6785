//! The SDK of Guildhall: what a service author adds to be part of a governed fleet.
//!
//! The author writes an [`axum::Router`]; [`Service`] does the rest: it registers the service and
//! keeps it registered, answers `/health` and `/metrics`, gives every request an id, a log line
//! and metrics, finds other services and calls them, and stops without failing anybody.
//!
//! ```no_run
//! use axum::{Router, extract::State, routing::get};
//! use guildhall::{Service, ServiceClient};
//!
//! async fn order(State(users): State<ServiceClient>) -> Result<String, String> {
//!     // Goes to a healthy instance of user-service, with this request's id.
//!     let user = users.get("/users/1").send().await.map_err(|error| error.to_string())?;
//!     Ok(format!("an order of {}", user.text()))
//! }
//!
//! #[tokio::main]
//! async fn main() -> Result<(), guildhall::ServiceError> {
//!     guildhall::init_logging();
//!     let service = Service::new("order-service", "1.0.0").port(3002).depends_on("user-service");
//!     let users = service.client("user-service");
//!     let routes = Router::new().route("/orders/example", get(order)).with_state(users);
//!     service.router(routes).run().await
//! }
//! ```
//!
//! # When another service fails
//!
//! Calls go on where they can: a failed attempt is made again at another instance, within a budget and the time that the
//! caller still waits; an instance that fails is left out; a service that fails is not called for a while. What else
//! holds is for policies to say, and for [`Service::call_defaults`]; [`ServiceClient`] has the defaults. A call that a
//! rule turns away ends with [`CallError::Rejected`], which names the policy, its revision and when to come back.
//!
//! # gRPC
//!
//! With the feature `grpc`, `Service::grpc` gives a channel that tonic's generated clients take: calls go the same way, under
//! the same policies. `Service::grpc_service` takes tonic's generated servers beside the routes, on the same port: they are
//! registered, checked, logged, counted and stopped like these. Without it the SDK has nothing of tonic.
//!
//! # Configuration
//!
//! With the feature `config`, `Service::config` reads the service's configuration as a type of its own, and anew whenever it
//! changes:
//!
//! ```toml
//! guildhall = { version = "0.1", features = ["config"] }
//! ```
//!
//! ```no_run
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! #[derive(serde::Deserialize)]
//! struct App {
//!     pool: usize,
//! }
//!
//! let service = guildhall::Service::new("user-service", "1.0.0");
//! let config = service
//!     .config::<App>("app.yaml")
//!     .environment("prod")
//!     .validate(|app| if app.pool > 0 { Ok(()) } else { Err("pool: at least 1".to_owned()) })
//!     .load()
//!     .await?;
//! let pool = config.load().pool; // what is in force now
//! # let _ = pool;
//! # Ok(())
//! # }
//! ```
//!
//! What the platform gives for the service and the environment lies over the service's own files and under the variables of
//! its environment. A new version that is not valid is reported, and the last good one stays; that one is kept on disk, too.
//! Without the feature the SDK carries no parser of YAML or TOML.
//!
//! # While the platform is away
//!
//! A service starts, serves and calls others without the platform: it keeps trying to register,
//! and knows other services and the policies in force from copies on disk ([`Service::cache_dir`]). When the platform comes
//! back, also without its data, the service is registered again within a third of its TTL.
//!
//! # What is served beside the author's routes
//!
//! | path | answers |
//! |---|---|
//! | `/health` | every check with its details; 200 or 503 |
//! | `/health/live` | 200 as long as the process answers |
//! | `/health/ready` | 200 while requests should be sent here, else 503 |
//! | `/metrics` | OpenMetrics text |
//! | `grpc.health.v1.Health` | with gRPC services: as `/health/ready`; `Watch` tells changes |

mod client;
mod clock;
#[cfg(feature = "config")]
mod config;
mod context;
mod discovery;
mod error;
#[cfg(feature = "grpc")]
mod grpc;
mod health;
mod identity;
mod layers;
mod logging;
mod metrics;
mod parts;
mod phase;
mod policy;
mod register;
mod serve;
mod service;
mod task;

#[cfg(feature = "grpc")]
pub use client::GrpcChannel;
pub use client::{Answer, Call, CallError, DEFAULT_TIMEOUT, ServiceClient, StandIn};
#[cfg(feature = "config")]
pub use config::{Config, ConfigBuilder, ConfigError, ConfigVersion};
pub use context::RequestContext;
pub use error::ServiceError;
pub use guildhall_api::client::ClientOptions;
pub use guildhall_core::{
    policy::guard::Rejected,
    registry::{Contract, ContractFormat, Dependency, DependencyType},
};
pub use health::CheckOutcome;
pub use logging::init_logging;
pub use metrics::Metrics;
pub use phase::Phase;
pub use register::Registration;
pub use service::{Running, Service, Stopped};
