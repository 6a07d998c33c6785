//! user-service: keeps the users.

mod model;
mod routes;

use guildhall::Service;
pub use model::{NewUser, User};
pub use routes::router;

use crate::{Options, ShopError, settings};

/// The service's name.
pub const NAME: &str = "user-service";
/// Where it listens if nothing else is said.
pub const DEFAULT_PORT: u16 = 3001;

/// The options of an instance that listens on the default port of loopback.
pub fn options() -> Options {
    Options::new(DEFAULT_PORT)
}

/// Runs an instance until SIGTERM or Ctrl-C, then leaves the registry, finishes what is under way and returns.
pub async fn run(options: Options) -> Result<(), ShopError> {
    let users = options.ledger("users.jsonl")?;
    let service = describe(options.service(NAME));
    let page = settings::page(&service).await?;
    let routes = router(users, page, &options.name());
    service.router(routes).run().await?;
    Ok(())
}

fn describe(service: Service) -> Service {
    service
        .describe("Keeps the users of the shop")
        .endpoint("GET", "/users", "The users, oldest first")
        .endpoint("POST", "/users", "Create a user")
        .endpoint("GET", "/users/{id}", "One user")
}
