//! Bodies on their way through: counted and watched.
//!
//! - [`request`]: a client's, on its way to a backend.
//! - [`response`]: a backend's, on its way to the client.

mod request;
mod response;

pub(crate) use request::RequestBody;
pub(crate) use response::{BrokenOff, ResponseBody, reason_of};
