//! Gateway API routes and how a request finds its backend.
//!
//! - [`spec`]: the documents as written.
//! - [`path`], [`host`]: the one reading of a path and of a host.
//! - [`attach`]: which routes are served for which hosts, and the conditions that say so.
//! - [`table`]: routes compiled to a tree per host.
//! - [`decision`]: what became of a request and why.

pub mod host;
pub mod path;
mod pattern;
pub mod spec;
mod status;

pub use spec::{Gateway, HttpRoute};
pub use status::{
    CONTROLLER, Condition, ConditionStatus, ConditionType, GatewayStatus, HttpRouteStatus, ListenerStatus, ParentStatus,
};
