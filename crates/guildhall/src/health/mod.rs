//! Whether the service is well: its own checks and the author's.
//!
//! - `/health/live`: the process answers. Restart it if not.
//! - `/health/ready`: it should be sent requests.
//! - `/health`: every check with its details.

mod checks;
mod memory;
mod outcome;
mod routes;

pub(crate) use checks::Checks;
pub(crate) use memory::{DEFAULT_LIMIT_MB, memory_usage, resident_bytes};
pub use outcome::CheckOutcome;
pub(crate) use routes::routes;
