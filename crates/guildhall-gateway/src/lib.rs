//! The data plane: listen, route, pass on.
//!
//! [`Gateway::start`] takes [`Options`] and a `SnapshotSource` and runs on threads of its own: one
//! worker per core, each with its own listeners, event loop and backend connections, and one
//! thread that turns documents into snapshots. Nothing here waits for the control plane.
//!
//! - `chain`: the request path, in one file. Begin there.
//! - `worker`, `connection`, `connections`, `listen`: threads and clients' connections.
//! - `io`, `scanner`: what is checked before hyper reads it.
//! - `target`, `headers`: one form of host and path; what a proxy does to headers.
//! - `exchange`: a routed request and its answer; `fault`: what a route has fail on purpose.
//! - `policy`: what policies do to a request; `exact`: limits that several processes count together.
//! - `upstream`: connections to endpoints, deadlines, what is tried again.
//! - `body`, `record`, `tunnel`: what passes through, and what is known of it.
//! - `snapshot`: from documents to what workers route by.
//! - `access_log`, `stats`, `answer`: what is told.

mod access_log;
mod answer;
mod body;
mod caller;
mod chain;
mod clock;
mod connection;
mod connections;
mod error;
mod exact;
mod exchange;
mod fault;
mod gateway;
mod headers;
mod io;
mod listen;
mod options;
mod peer;
mod policy;
mod record;
mod reports;
mod scanner;
mod shared;
mod snapshot;
mod stats;
mod target;
mod tunnel;
mod upstream;
mod worker;

pub use error::StartError;
pub use exact::ExactCount;
pub use gateway::{Drained, Gateway, GatewayHandle, Status};
pub use guildhall_resilience::{ConfigError, limiter::redis::RedisConfig};
pub use options::{AccessLog, Limits, LogFormat, Options, Timeouts, UpstreamOptions};
pub use peer::{Cidr, CidrError};
pub use reports::Reports;
pub use stats::{Refusals, Traffic};
