//! Calls to other services by gRPC, by name: a channel for tonic's generated clients, over the same policies, machines and
//! instances as calls by HTTP.
//!
//! ```text
//! generated client ─▶ GrpcChannel ─▶ Target ─ rate limits, deadline ─▶ Lane's chain ─▶ Attempt ─▶ Connections ─▶ an instance
//!                         ▲                                                                          │
//!                         └──────────── Stream: what a call holds, until its stream ends ◀───────────┘
//! ```
//!
//! What differs from HTTP is that an answer goes on after its head: a call is judged by its status, which most often comes
//! last, and holds its place until then.
//!
//! - [`channel`]: what an author sees, and a call's way through its target.
//! - [`call`], [`answer`], [`rules`]: a call, its answer, and what layers have to know of both.
//! - [`lane`]: the layers, in their order; [`place`]: the bulkhead, whose place an answer takes along.
//! - [`attempt`], [`connections`], [`io`], [`frames`]: which instance, and the exchange with it.
//! - [`stream`]: an answer on its way to the caller.
//! - [`status`], [`details`]: failures as gRPC tells them.

mod answer;
mod attempt;
mod call;
mod channel;
mod connections;
mod details;
mod frames;
mod io;
mod lane;
mod place;
mod rules;
mod status;
mod stream;

pub use channel::GrpcChannel;
pub(crate) use connections::{Connections, Dial};
pub(crate) use lane::Lane;
