//! The platform as a library: roles wired together, started and stopped in order.
//!
//! - [`builder`]: from settings to a running [`Platform`].
//! - [`plane`]: the control role: store and control plane, exchangeable under the API when a snapshot is restored.
//! - [`traffic`]: the gateway role, over a source in this process or far away.
//! - [`claim`]: one node at a time on a data directory.
//! - [`addresses`]: where everything listens, for people and scripts.
//! - [`seal`]: the keys of sealed values.
//! - [`reload`]: files that may change while the platform runs.

mod addresses;
mod builder;
mod claim;
mod error;
mod plane;
mod reload;
mod running;
mod seal;
mod traffic;

pub use addresses::Addresses;
pub use builder::PlatformBuilder;
pub use error::StartError;
pub(crate) use plane::{Plane, PlaneError};
pub use running::Platform;
pub(crate) use traffic::Traffic;
