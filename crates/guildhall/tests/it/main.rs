//! Whole services, against a platform of the tests' own.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod calls;
mod configs;
mod endpoints;
mod grpc;
mod lifecycle;
mod platform;
mod policies;
mod real;
mod registration;
mod reported;
mod resilient;
mod shared;
mod upstream;

use std::time::Duration;

use guildhall::{Registration, Running, Service};
use http_body_util::{BodyExt, Empty};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};

/// Waits for what a test expects; the deadline is for a test that fails.
async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), future)
        .await
        .unwrap_or_else(|_| panic!("{what} did not happen"))
}

/// Waits until the service stands so with the platform.
async fn until(running: &Running, what: impl FnMut(&Registration) -> bool) {
    let mut registration = running.registration();
    let reached = async { registration.wait_for(what).await.map(drop) };
    soon("the registration's state", reached).await.unwrap();
}

/// A service on the loopback address that leaves nothing behind and does not wait.
fn service(name: &str) -> Service {
    Service::new(name, "1.0.0")
        .bind("127.0.0.1:0")
        .without_cache()
        .propagation(Duration::ZERO)
        .standalone()
}

struct Got {
    status: u16,
    headers: http::HeaderMap,
    body: String,
}

impl Got {
    fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// GET, from outside.
async fn get(running: &Running, path: &str) -> Got {
    fetch(&format!("http://{}{path}", running.addr()), &[])
        .await
        .unwrap()
}

async fn fetch(url: &str, headers: &[(&str, &str)]) -> Result<Got, String> {
    let client = Client::builder(TokioExecutor::new()).build_http::<Empty<bytes::Bytes>>();
    let mut request = http::Request::get(url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = client
        .request(request.body(Empty::new()).unwrap())
        .await
        .map_err(|error| error.to_string())?;
    let (head, body) = response.into_parts();
    let body = body
        .collect()
        .await
        .map_err(|error| error.to_string())?
        .to_bytes();
    let body = String::from_utf8(body.to_vec()).unwrap();
    Ok(Got {
        status: head.status.as_u16(),
        headers: head.headers,
        body,
    })
}
