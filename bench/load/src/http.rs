//! A lean HTTP/1.1 client: one connection, one request in flight, nothing that the load does not need. A full client
//! costs as much as the fastest servers here, and on two cores the load would then be what is measured.

mod connection;
mod reply;
mod request;

pub(crate) use connection::Connection;
pub(crate) use reply::Reply;
pub(crate) use request::{base64, get, with_body};
