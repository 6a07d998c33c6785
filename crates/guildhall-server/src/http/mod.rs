//! The native API over HTTP: one file per resource, around one hand-written service.
//!
//! [`service`] is the chain every request takes: request id → who asks → [`routes`] → handler → answer or
//! [`problem`]. Handlers translate between the wire and the control handles; they decide nothing themselves.

mod accept;
mod answer;
mod body;
mod query;
mod routes;
