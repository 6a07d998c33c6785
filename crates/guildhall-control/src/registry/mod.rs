//! Services, their versions and their instances: registration, health, discovery, graph.
//!
//! Documents go the way of [`documents`](crate::documents); this adds what registering means
//! beyond writing: a service exists once it has an instance, a version's contract is compared
//! with those that are live, a heartbeat passes the ttl checks.

mod handle;
mod health;
mod read;
mod register;
mod timeline;

pub use handle::Registry;
pub use read::Discovery;
pub use register::ServiceWritten;
