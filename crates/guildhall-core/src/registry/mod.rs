//! The registry's documents and the rules on them.
//!
//! Documents: [`Service`] (what operators say), [`ServiceVersion`] (what code says),
//! [`Instance`] (one running process) with its [`Check`]s and [`InstanceStatus`], [`Lock`].
//!
//! Rules, all of them pure functions and state machines over those:
//!
//! - [`catalog`]: folds documents into services with their versions and instances.
//! - [`discovery`]: which instances a client gets.
//! - [`health`]: from the results of checks to what is believed; [`status`]: what that makes of
//!   an instance; [`timeline`]: what is remembered of it.
//! - [`contract`]: whether a new contract keeps what consumers rely on.
//! - [`graph`](mod@graph): who calls whom, and who suffers when a service goes.
//! - [`statistics`](mod@statistics): how many there are of what.

pub mod catalog;
mod check;
pub mod contract;
pub mod discovery;
pub mod graph;
pub mod health;
mod instance;
mod lock;
mod service;
pub mod statistics;
pub mod status;
pub mod timeline;
mod version;

pub use catalog::{Catalog, ServiceEntry, Touched};
pub use check::{Check, CheckTls, Probe, Schedule, StatusRange};
pub use contract::{BreakingChange, ChangeKind, VersionStatus};
pub use discovery::{Discovered, Near, Query, QueryError, discover};
pub use graph::{Graph, Impact, graph, impact};
pub use instance::{Instance, Port, Protocol, Scrape};
pub use lock::{Lock, LockHolder, LockStatus};
pub use service::{ContractPolicy, Link, Service};
pub use statistics::{HealthCounts, ServiceStatistics, Statistics, statistics};
pub use status::{CheckState, CheckStatus, Health, InstanceStatus, Maintenance, MaintenanceMode};
pub use timeline::TimelineEntry;
pub use version::{
    Api, Contract, ContractFormat, Dependency, DependencyType, Endpoint, ServiceVersion,
};
