//! The gateway over real sockets: fake backends, raw clients, documents by hand.

mod change;
mod hygiene;
mod limits;
mod log;
mod replay;
mod routing;
mod streams;
mod support;
