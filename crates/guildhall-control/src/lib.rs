//! Guildhall's control plane: registry, documents, locks and watches over the store.
//!
//! [`Control::start`] reads the store once and from then on keeps an immutable [`State`] current;
//! every read comes from it and takes no lock. Writes go to the store as transactions and come
//! back through its watch: nothing here changes what readers see in any other way.
//!
//! - [`documents`]: every kind of document: get, list, put, delete.
//! - [`config`]: the contents of configuration, what they come to for a reader, and who waits for that to change.
//! - [`history`]: the versions of documents that operators write.
//! - [`registry`]: services, versions and instances: registration, health, discovery, graph.
//! - [`locks`]: held through a lease, fenced by a token that only grows.
//! - [`watch`]: subscriptions, long polls, the source of a gateway in the same process.
//! - [`checks`], [`status`], [`duty`]: who checks instances, and how what is found is written.
//! - [`policies`]: what policies come to, merged.
//! - [`fleet`]: what gateways and SDKs report of their breakers and limits.
//! - [`audit`]: one record per write.
//!
//! Every handle takes a [`Caller`](guildhall_core::access::Caller) and asks `authorize`. Nothing
//! here speaks a protocol to clients; that is the server's.

pub mod audit;
pub mod checks;
mod clock;
pub mod config;
mod control;
pub mod documents;
pub mod duty;
mod error;
pub mod fleet;
pub mod history;
pub mod locks;
mod options;
pub mod policies;
pub mod registry;
pub mod status;
mod view;
pub mod watch;

pub use control::{Control, ControlStatus};
pub use error::Error;
pub use options::Options;
pub use view::State;
