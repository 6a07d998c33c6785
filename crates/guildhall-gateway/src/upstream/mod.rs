//! Connections to endpoints: made, pooled per worker, used by one request at a time.
//!
//! A connection is not a task of its own: whoever uses it polls it along. A request then runs in
//! one task from the client's socket to the backend's and back, without a wake-up in between, and
//! dropping the request closes the connection.
//!
//! - [`connection`]: one connection and one exchange on it.
//! - [`pool`]: idle connections by endpoint.
//! - [`connect`]: how one is made.
//! - [`replay`]: what is tried again.

mod connect;
mod connection;
mod deadline;
mod pool;
mod quiet;
mod replay;

pub(crate) use connect::connect;
pub(crate) use connection::{SendError, Tunnel, Upstream};
pub(crate) use deadline::{Deadline, Expired, Upload};
pub(crate) use pool::Pools;
pub(crate) use replay::{Attempts, Failure, Next};
