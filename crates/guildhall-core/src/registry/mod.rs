//! The registry's documents and the rules on them.
//!
//! Documents: [`Service`] (what operators say), [`ServiceVersion`] (what code says),
//! [`Instance`] (one running process) with its [`Check`]s and [`InstanceStatus`], [`Lock`].

pub mod catalog;
mod check;
mod instance;
mod lock;
mod service;
pub mod status;
mod version;

pub use catalog::{Catalog, ServiceEntry, Touched};
pub use check::{Check, Probe, Schedule, StatusRange};
pub use instance::{Instance, Port, Protocol, Scrape};
pub use lock::{Lock, LockHolder, LockStatus};
pub use service::{ContractPolicy, Link, Service};
pub use status::{CheckState, CheckStatus, Health, InstanceStatus, Maintenance, MaintenanceMode};
pub use version::{Api, Contract, ContractFormat, Dependency, DependencyType, Endpoint, ServiceVersion};
