//! Gateway API routes and how a request finds its backend.
//!
//! - [`spec`]: the documents as written.
//! - [`path`], [`host`]: the one reading of a path and of a host.
//! - `attach`: which routes are served for which hosts; `report`: the conditions that say so.
//! - [`table`]: routes compiled to a tree per host.
//! - [`Decision`]: what became of a request and why.

mod attach;
mod decision;
pub mod host;
pub mod path;
mod pattern;
mod report;
pub mod spec;
mod status;
pub mod table;

pub use attach::{Gateways, IMPLICIT_GATEWAY};
pub use decision::{Decision, Reason};
pub use report::{gateway_status, route_status};
pub use spec::{Gateway, HttpRoute};
pub use status::{
    CONTROLLER, Condition, ConditionStatus, ConditionType, GatewayStatus, HttpRouteStatus,
    ListenerStatus, ParentStatus,
};
pub use table::{Match, RequestHead, RouteTable};
