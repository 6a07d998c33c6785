//! The demo shop: two services on the SDK, as an author would write them.
//!
//! - [`users`]: user-service keeps the users. Any number of instances of it may run.
//! - [`orders`]: order-service takes orders, and asks user-service, found by its name, whether the user exists.
//!
//! Each is a router that knows nothing of the platform and a `run` that puts it on [`guildhall::Service`].
//! `guildhall demo` runs both as processes of their own. See README.md for their API.

mod clock;
mod error;
mod id;
mod ledger;
mod options;
pub mod orders;
mod refusal;
mod served_by;
pub mod settings;
#[cfg(test)]
mod testing;
pub mod users;

pub use error::ShopError;
pub use ledger::{Ledger, Record};
pub use options::{Options, TTL};
pub use refusal::Refusal;

/// The response header that names the instance which answered, so that one can see where traffic goes.
pub const SERVED_BY: &str = "x-served-by";
