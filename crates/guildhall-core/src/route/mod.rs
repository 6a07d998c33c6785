//! Gateway API routes and how a request finds its backend.

mod gateway;
mod httproute;

pub use gateway::Gateway;
pub use httproute::HttpRoute;
