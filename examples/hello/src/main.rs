//! A service in a dozen lines: `cargo run -p guildhall-hello`, then
//! `curl 127.0.0.1:3000/hello/world` and `curl 127.0.0.1:3000/health`.
//!
//! Set `GUILDHALL_SERVER=http://127.0.0.1:7420` to have it registered with a platform.

use axum::{Router, extract::Path, routing::get};
use guildhall::{Service, ServiceError};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), ServiceError> {
    guildhall::init_logging();
    service().bind("127.0.0.1:3000").run().await
}

fn service() -> Service {
    let routes = Router::new().route(
        "/hello/{name}",
        get(|Path(name): Path<String>| async move { format!("Hello, {name}!\n") }),
    );
    Service::new("hello", env!("CARGO_PKG_VERSION"))
        .describe("Says hello")
        .endpoint("GET", "/hello/{name}", "Greets")
        .router(routes)
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpStream,
    };

    use super::service;

    async fn get(address: SocketAddr, path: &str) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: hello\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn it_greets_tells_its_health_and_stops_without_a_platform() {
        let alone = service().bind("127.0.0.1:0").standalone();
        let running = alone.start().await.unwrap();
        let greeting = get(running.addr(), "/hello/world").await;
        assert!(greeting.starts_with("HTTP/1.1 200"), "{greeting}");
        assert!(greeting.ends_with("Hello, world!\n"), "{greeting}");
        let health = get(running.addr(), "/health/ready").await;
        assert!(health.starts_with("HTTP/1.1 200"), "{health}");
        assert_eq!(running.stop().await.cut, 0);
    }
}
