//! order-service: takes orders of users that user-service knows.

mod customers;
mod model;
mod routes;

use std::sync::Arc;

pub use customers::{Customers, CustomersError};
use guildhall::Service;
pub use model::{NewOrder, Order};
pub use routes::router;

use crate::{Options, ShopError, settings, users};

/// The service's name.
pub const NAME: &str = "order-service";
/// Where it listens if nothing else is said.
pub const DEFAULT_PORT: u16 = 3002;

/// The options of an instance that listens on the default port of loopback.
pub fn options() -> Options {
    Options::new(DEFAULT_PORT)
}

/// Runs an instance until SIGTERM or Ctrl-C, then leaves the registry, finishes what is under way and returns.
pub async fn run(options: Options) -> Result<(), ShopError> {
    let orders = options.ledger("orders.jsonl")?;
    let service = describe(options.service(NAME));
    let customers = Arc::new(customers::UserService::new(service.client(users::NAME)));
    let page = settings::page(&service).await?;
    let routes = router(orders, customers, page, &options.name());
    service.router(routes).run().await?;
    Ok(())
}

fn describe(service: Service) -> Service {
    service
        .describe("Takes the orders of the shop")
        .depends_on(users::NAME)
        .endpoint("GET", "/orders", "The orders, oldest first")
        .endpoint("POST", "/orders", "Order something")
}
