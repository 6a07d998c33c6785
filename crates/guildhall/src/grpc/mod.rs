//! gRPC services beside the routes, on the same port. Needs the feature `grpc`.
//!
//! ```text
//! a connection ─▶ preface: HTTP/1 or 2? ─▶ connection: bounds ─▶ /package.Service/… ─▶ call: context, deadline, panic
//!                                                    │                                     │
//!                                                    └─▶ the author's routes               ▼
//!                                      record: one line, counted ◀─ answer, until its stream ends ◀─ tonic's service
//! ```
//!
//! As with calls to others, a call is over when its stream is: it is logged, counted and timed then, by `grpc-status`,
//! and until then what is done on its behalf has its context and its deadline.
//!
//! - [`services`]: what the author adds, and where it is mounted.
//! - [`preface`], [`connection`]: HTTP/1 and HTTP/2 on one port, and what a slow peer may not do.
//! - [`call`], [`answer`], [`record`]: a call's way.
//! - [`health`]: `grpc.health.v1.Health`, out of the service's checks and phase.

mod answer;
mod call;
mod connection;
mod health;
mod preface;
mod record;
mod services;

pub(crate) use connection::serve;
pub(crate) use services::Services;
