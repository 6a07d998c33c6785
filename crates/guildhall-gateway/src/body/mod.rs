//! Bodies on their way through: counted and watched.
//!
//! - [`request`]: a client's, on its way to a backend.
//! - [`held`]: the same where it may have to be sent again.
//! - [`response`]: a backend's, on its way to the client.

mod held;
mod request;
mod response;

pub(crate) use held::Held;
pub(crate) use request::RequestBody;
pub(crate) use response::{BrokenOff, ResponseBody, reason_of};
