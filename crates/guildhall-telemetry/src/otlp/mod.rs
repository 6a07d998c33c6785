//! OTLP, as OpenTelemetry clients send it: protobuf read straight into rows.

mod resource;
mod traces;
mod wire;

pub use resource::{UNKNOWN_SERVICE, service, value};
pub use traces::{Rejected, traces};
pub use wire::WireError;
