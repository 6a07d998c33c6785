//! A node of the platform on free ports and a temporary directory, and a client that sees every header and byte.

use std::{net::SocketAddr, path::Path, time::Duration};

use bytes::Bytes;
use guildhall_server::{Platform, PlatformBuilder, settings::Role};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tempfile::TempDir;
use tokio::{net::TcpStream, time::timeout};

/// How long anything may take before a test fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A running control node.
pub(crate) struct Node {
    pub(crate) platform: Platform,
    pub(crate) folder: TempDir,
}

/// An answer, whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .unwrap_or_else(|| panic!("no {name}: {self:?}"))
            .to_str()
            .unwrap()
    }

    /// The status and the problem's code, as tables of errors have them.
    pub(crate) fn problem(&self) -> String {
        let problem = self.json();
        assert_eq!(
            self.header("content-type"),
            "application/problem+json",
            "{self:?}"
        );
        assert_eq!(problem["status"], self.status.as_u16(), "{self:?}");
        assert_eq!(problem["instance"], self.header("x-request-id"), "{self:?}");
        format!(
            "{} {}",
            self.status.as_u16(),
            problem["code"].as_str().unwrap()
        )
    }
}

/// A control node with these changes to the defaults.
pub(crate) async fn node_with(change: impl FnOnce(PlatformBuilder) -> PlatformBuilder) -> Node {
    let folder = tempfile::tempdir().unwrap();
    let builder = Platform::builder()
        .data_dir(folder.path())
        .roles([Role::Control]);
    let platform = change(builder).start().await.unwrap();
    Node { platform, folder }
}

/// A control node.
pub(crate) async fn node() -> Node {
    node_with(|builder| builder).await
}

impl Node {
    pub(crate) fn api(&self) -> SocketAddr {
        self.platform.addresses().api.unwrap()
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.api())
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Sends a request with headers; the path is below `/api/v1` unless it names another place.
    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        send(self.api(), method, path, headers, body).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], "").await
    }

    pub(crate) async fn put(&self, path: &str, body: &str) -> Answer {
        self.send("PUT", path, &[("content-type", "application/json")], body)
            .await
    }

    pub(crate) async fn post(&self, path: &str, body: &str) -> Answer {
        self.send("POST", path, &[("content-type", "application/json")], body)
            .await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.send("DELETE", path, &[], "").await
    }

    /// Registers an instance of `service` on `port`, with more fields of its spec if given.
    pub(crate) async fn register(&self, service: &str, id: &str, more: &str) -> Answer {
        let body = format!(r#"{{"spec": {{"host": "127.0.0.1", "port": 1000{more}}}}}"#);
        let answer = self
            .put(&format!("services/{service}/instances/{id}"), &body)
            .await;
        assert!(answer.status.is_success(), "{answer:?}");
        answer
    }

    /// An event stream.
    pub(crate) async fn stream(&self, path: &str, headers: &[(&str, &str)]) -> Events {
        stream(self.api(), path, headers).await
    }
}

async fn stream(at: SocketAddr, path: &str, headers: &[(&str, &str)]) -> Events {
    let response = open(at, "GET", path, headers, "").await;
    assert_eq!(response.status(), StatusCode::OK, "{path}");
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    Events {
        body: response.into_body(),
        text: String::new(),
    }
}

/// An event stream of the node at `at`.
pub(crate) async fn events(at: SocketAddr, path: &str) -> Events {
    stream(at, path, &[]).await
}

/// Sends a request on a connection of its own.
pub(crate) async fn open(
    at: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> http::Response<Incoming> {
    let stream = timeout(PATIENCE, TcpStream::connect(at))
        .await
        .unwrap()
        .unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    let path = if path.starts_with('/') {
        path.to_owned()
    } else {
        format!("/api/v1/{path}")
    };
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .header("host", at.to_string());
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request
        .body(Full::new(Bytes::from(body.to_owned())))
        .unwrap();
    timeout(PATIENCE, sender.send_request(request))
        .await
        .unwrap()
        .unwrap()
}

/// Sends a request and reads the whole answer.
pub(crate) async fn send(
    at: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Answer {
    let (head, body) = open(at, method, path, headers, body).await.into_parts();
    let body = timeout(PATIENCE, body.collect())
        .await
        .unwrap()
        .unwrap()
        .to_bytes();
    Answer {
        status: head.status,
        headers: head.headers,
        body,
    }
}

/// An event stream under way.
pub(crate) struct Events {
    body: Incoming,
    text: String,
}

/// One event: its name, its id if it has one, its data.
#[derive(Debug, PartialEq)]
pub(crate) struct Event {
    pub(crate) name: String,
    pub(crate) id: Option<String>,
    pub(crate) data: Value,
}

impl Event {
    /// `name document`, as tests compare it.
    pub(crate) fn short(&self) -> String {
        let name = self.data["metadata"]["name"].as_str().unwrap_or_default();
        format!("{} {name}", self.name).trim_end().to_owned()
    }
}

impl Events {
    /// The next event, or `None` at the stream's end.
    pub(crate) async fn next(&mut self) -> Option<Event> {
        loop {
            while let Some((block, rest)) = self.text.split_once("\n\n") {
                let event = read(block);
                self.text = rest.to_owned();
                if event.is_some() {
                    return event;
                }
            }
            let frame = timeout(PATIENCE, self.body.frame())
                .await
                .expect("no event came")?
                .ok()?;
            self.text
                .push_str(std::str::from_utf8(frame.data_ref().unwrap()).unwrap());
        }
    }

    /// The next `count` events, each as [`Event::short`].
    pub(crate) async fn shorts(&mut self, count: usize) -> Vec<String> {
        let mut shorts = Vec::new();
        while shorts.len() < count {
            shorts.push(self.next().await.expect("the stream ended").short());
        }
        shorts
    }
}

/// Comments are no events.
fn read(block: &str) -> Option<Event> {
    let field = |name: &str| {
        block
            .lines()
            .find_map(|line| line.strip_prefix(name))
            .map(str::to_owned)
    };
    let data = field("data: ")?;
    Some(Event {
        name: field("event: ")?,
        id: field("id: "),
        data: serde_json::from_str(&data).unwrap(),
    })
}

/// For tests of how long something takes.
#[expect(
    clippy::disallowed_methods,
    reason = "how long it takes is what is tested"
)]
pub(crate) fn now() -> std::time::Instant {
    std::time::Instant::now()
}

/// Asks `question` until it answers, with a deadline.
pub(crate) async fn until<T>(what: &str, mut question: impl AsyncFnMut() -> Option<T>) -> T {
    let asked = async {
        loop {
            if let Some(answer) = question().await {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, asked)
        .await
        .unwrap_or_else(|_| panic!("in vain: {what}"))
}
