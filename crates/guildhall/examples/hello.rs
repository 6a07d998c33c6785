//! A service in a dozen lines: `cargo run -p guildhall --example hello`, then
//! `curl 127.0.0.1:3000/hello/world` and `curl 127.0.0.1:3000/health`.
//!
//! Set `GUILDHALL_SERVER=http://127.0.0.1:7420` to have it registered with a platform.

use axum::{Router, extract::Path, routing::get};
use guildhall::{Service, ServiceError};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), ServiceError> {
    guildhall::init_logging();
    let routes = Router::new().route(
        "/hello/{name}",
        get(|Path(name): Path<String>| async move { format!("Hello, {name}!\n") }),
    );
    Service::new("hello", env!("CARGO_PKG_VERSION"))
        .describe("Says hello")
        .endpoint("GET", "/hello/{name}", "Greets")
        .bind("127.0.0.1:3000")
        .router(routes)
        .run()
        .await
}
