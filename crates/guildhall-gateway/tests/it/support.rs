//! A gateway fed by hand, backends that do as a test says, and a client that sees every byte.

use std::{
    fmt::Write as _,
    future::Future,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use guildhall_core::{
    document::{Body, Document, DocumentKey, Index, Kind, Object},
    registry::{Health, InstanceStatus},
    source::{Change, SnapshotSource, Update},
};
use guildhall_gateway::{Gateway, GatewayHandle, Options};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::JoinHandle,
    time::{sleep, timeout},
};

/// The most that anything in these tests may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Waits for `what`, and fails the test if it does not come.
pub(crate) async fn soon<T>(what: impl Future<Output = T>) -> T {
    timeout(PATIENCE, what).await.expect("in time")
}

/// Looks again until `holds`.
pub(crate) async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let look = async {
        while !holds().await {
            sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(PATIENCE, look)
        .await
        .unwrap_or_else(|_| panic!("never: {what}"));
}

struct ByHand(mpsc::UnboundedReceiver<Update>);

impl SnapshotSource for ByHand {
    fn next(&mut self) -> Pin<Box<dyn Future<Output = Option<Update>> + Send + '_>> {
        Box::pin(self.0.recv())
    }
}

/// A running gateway and the hand that feeds it.
pub(crate) struct Fixture {
    pub(crate) gateway: GatewayHandle,
    updates: mpsc::UnboundedSender<Update>,
    revision: u64,
}

pub(crate) fn options() -> Options {
    Options {
        listen: vec![SocketAddr::from(([127, 0, 0, 1], 0))],
        workers: 2,
        ..Options::default()
    }
}

impl Fixture {
    /// A gateway that has its documents.
    pub(crate) async fn start(options: Options, documents: Vec<Document>) -> Self {
        let mut fixture = Self::start_without_documents(options);
        fixture.revision = 1;
        let update = Update::Full {
            index: Some(fixture.index()),
            documents,
        };
        fixture.updates.send(update).unwrap();
        fixture.in_effect().await;
        fixture
    }

    pub(crate) fn start_without_documents(options: Options) -> Self {
        let (updates, receiver) = mpsc::unbounded_channel();
        let gateway = Gateway::start(options, Box::new(ByHand(receiver))).unwrap();
        Self {
            gateway,
            updates,
            revision: 0,
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.gateway.addresses()[0]
    }

    fn index(&self) -> Index {
        Index {
            incarnation: 1,
            revision: self.revision,
        }
    }

    pub(crate) fn change(&mut self, changes: Vec<Change>) {
        self.revision += 1;
        self.updates
            .send(Update::Delta {
                index: self.index(),
                changes,
            })
            .unwrap();
    }

    pub(crate) fn put(&mut self, document: Document) {
        self.change(vec![Change::Put(document)]);
    }

    pub(crate) fn delete(&mut self, key: DocumentKey) {
        self.change(vec![Change::Deleted(key)]);
    }

    /// Waits until the last change is what workers route by.
    pub(crate) async fn in_effect(&self) {
        let index = Some(self.index());
        until("the change is in effect", async || {
            self.gateway.status().index == index
        })
        .await;
    }

    pub(crate) async fn client(&self) -> Client {
        Client::open(self.address()).await
    }

    /// One request on a connection of its own.
    pub(crate) async fn ask(&self, request: &str) -> Answer {
        self.client().await.ask(request).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.ask(&format!("GET {path} HTTP/1.1\r\nHost: shop.test\r\n\r\n"))
            .await
    }
}

fn document(kind: Kind, name: &str, spec: &Value) -> Document {
    let json = json!({"metadata": {"name": name}, "spec": spec}).to_string();
    Body::parse(&json)
        .and_then(|body| body.into_document(kind, None, None))
        .unwrap()
}

pub(crate) fn route(name: &str, spec: Value) -> Document {
    document(Kind::HttpRoute, name, &spec)
}

/// Sends everything under `prefix` to `service`.
pub(crate) fn to_service(name: &str, prefix: &str, service: &str) -> Document {
    route(
        name,
        json!({"rules": [{
            "matches": [{"path": {"value": prefix}}],
            "backendRefs": [{"name": service}],
        }]}),
    )
}

/// A policy at a revision.
pub(crate) fn policy(name: &str, revision: u64, spec: &Value) -> Document {
    let Document::Policy(object) = document(Kind::Policy, name, spec) else {
        panic!("a policy")
    };
    let mut object = Object::clone(&object);
    object.metadata.revision = revision;
    Document::Policy(Arc::new(object))
}

/// A policy for the service `svc`.
pub(crate) fn for_service(name: &str, revision: u64, mut sections: Value) -> Document {
    sections["targetRefs"] = json!([{"kind": "Service", "name": "svc"}]);
    policy(name, revision, &sections)
}

/// An answer of this status without a body, with these header lines.
pub(crate) fn status(status: u16, headers: &str) -> String {
    format!("HTTP/1.1 {status} Status\r\nContent-Length: 0\r\n{headers}\r\n")
}

pub(crate) fn instance(service: &str, id: &str, address: SocketAddr) -> Document {
    let spec =
        json!({"service": service, "host": address.ip().to_string(), "port": address.port()});
    healthy(document(Kind::Instance, id, &spec))
}

pub(crate) fn instance_of(id: &str, spec: Value) -> Document {
    healthy(document(Kind::Instance, id, &spec))
}

fn healthy(document: Document) -> Document {
    with_health(document, Health::Healthy)
}

pub(crate) fn with_health(document: Document, health: Health) -> Document {
    let Document::Instance(object) = document else {
        panic!("an instance")
    };
    let status = Some(InstanceStatus {
        health,
        ..InstanceStatus::default()
    });
    Document::Instance(Arc::new(Object {
        status,
        ..Object::clone(&object)
    }))
}

/// A message's head and body as they came over the wire.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
    /// The trailer lines of a chunked body.
    pub(crate) trailers: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn reason(&self) -> &str {
        self.header("guildhall-reason").unwrap_or("")
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// A connection that knows just enough of HTTP/1.1 to see where a message ends.
pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    pub(crate) buffer: Vec<u8>,
}

/// Why a message could not be read to its end.
#[derive(Debug)]
pub(crate) struct Broken;

impl Client {
    pub(crate) async fn open(address: SocketAddr) -> Self {
        let stream = soon(TcpStream::connect(address)).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self {
            stream,
            buffer: Vec::new(),
        }
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.unwrap();
    }

    pub(crate) async fn ask(&mut self, request: &str) -> Answer {
        self.send(request).await;
        let head_only = request.starts_with("HEAD ");
        soon(self.read(head_only)).await.expect("a whole answer")
    }

    /// Reads one message; `head_only` for the answer to a HEAD.
    pub(crate) async fn read(&mut self, head_only: bool) -> Result<Answer, Broken> {
        let end = loop {
            if let Some(at) = find(&self.buffer, b"\r\n\r\n") {
                break at + 4;
            }
            self.fill().await?;
        };
        let head: Vec<u8> = self.buffer.drain(..end).collect();
        let head = String::from_utf8(head).unwrap();
        let status = head
            .split(' ')
            .nth(1)
            .and_then(|word| word.parse().ok())
            .unwrap_or(0);
        let mut answer = Answer {
            status,
            head,
            ..Answer::default()
        };
        if status == 100 || status == 101 || status == 204 || status == 304 || head_only {
            return Ok(answer);
        }
        let chunked = answer.header("transfer-encoding").is_some();
        let length = answer
            .header("content-length")
            .map(|length| length.parse::<usize>().unwrap());
        let request = answer
            .head
            .split_whitespace()
            .nth(2)
            .is_some_and(|word| word.starts_with("HTTP/"));
        match (chunked, length) {
            (true, _) => self.read_chunks(&mut answer).await?,
            (false, Some(length)) => {
                while self.buffer.len() < length {
                    self.fill().await?;
                }
                answer.body = self.buffer.drain(..length).collect();
            }
            (false, None) if request => {}
            // Until the connection ends.
            (false, None) => {
                while self.fill().await.is_ok() {}
                answer.body = std::mem::take(&mut self.buffer);
            }
        }
        Ok(answer)
    }

    async fn read_chunks(&mut self, answer: &mut Answer) -> Result<(), Broken> {
        loop {
            let size = usize::from_str_radix(self.line().await?.trim(), 16).unwrap();
            if size == 0 {
                loop {
                    let line = self.line().await?;
                    if line.is_empty() {
                        return Ok(());
                    }
                    writeln!(answer.trailers, "{line}").unwrap();
                }
            }
            while self.buffer.len() < size + 2 {
                self.fill().await?;
            }
            answer.body.extend(self.buffer.drain(..size));
            self.buffer.drain(..2);
        }
    }

    async fn line(&mut self) -> Result<String, Broken> {
        loop {
            if let Some(at) = find(&self.buffer, b"\r\n") {
                let line: Vec<u8> = self.buffer.drain(..at + 2).collect();
                return Ok(String::from_utf8(line).unwrap().trim_end().to_owned());
            }
            self.fill().await?;
        }
    }

    pub(crate) async fn fill(&mut self) -> Result<(), Broken> {
        let mut chunk = [0; 16 * 1024];
        match self.stream.read(&mut chunk).await {
            Ok(n) if n > 0 => {
                self.buffer.extend_from_slice(&chunk[..n]);
                Ok(())
            }
            _ => Err(Broken),
        }
    }

    /// Waits for the other end to close; what it sent before is in the buffer.
    pub(crate) async fn closed(&mut self) {
        soon(async { while self.fill().await.is_ok() {} }).await;
    }
}

pub(crate) fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

/// A backend: each connection is handed to what the test gives.
pub(crate) struct Backend {
    pub(crate) address: SocketAddr,
    connections: Arc<AtomicUsize>,
    requests: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Drop for Backend {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Backend {
    /// Connections that were made to it.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// Requests it has answered, if it is an [`Backend::answering`] one.
    pub(crate) fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }

    /// Hands each connection, with its number from 0, to `serve`.
    pub(crate) async fn raw<F, S>(serve: S) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
        S: Fn(usize, Client) -> F + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&connections);
        let task = tokio::spawn(async move {
            // Ends its connections with the test.
            let mut serving = tokio::task::JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                stream.set_nodelay(true).unwrap();
                let number = counter.fetch_add(1, Ordering::SeqCst);
                serving.spawn(serve(
                    number,
                    Client {
                        stream,
                        buffer: Vec::new(),
                    },
                ));
            }
        });
        Self {
            address,
            connections,
            requests: Arc::default(),
            task,
        }
    }

    /// Answers each request, on connections that are kept, with what `answer` makes of it.
    pub(crate) async fn answering(
        answer: impl Fn(&Answer) -> String + Send + Sync + 'static,
    ) -> Self {
        let answer = Arc::new(answer);
        let requests = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&requests);
        let mut backend = Self::raw(move |_, mut client| {
            let (answer, counter) = (Arc::clone(&answer), Arc::clone(&counter));
            async move {
                while let Ok(request) = client.read(false).await {
                    counter.fetch_add(1, Ordering::SeqCst);
                    if client
                        .stream
                        .write_all(answer(&request).as_bytes())
                        .await
                        .is_err()
                    {
                        return;
                    }
                }
            }
        })
        .await;
        backend.requests = requests;
        backend
    }

    /// Answers each request with `name`.
    pub(crate) async fn named(name: &'static str) -> Self {
        Self::answering(move |_| ok(name)).await
    }

    /// Answers each request with its own head.
    pub(crate) async fn echo() -> Self {
        Self::answering(|request| ok(&request.head)).await
    }
}

/// An answer of 200 with this body.
pub(crate) fn ok(body: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// A gateway with one route, for everything, to one backend.
pub(crate) async fn in_front_of(backend: &Backend) -> Fixture {
    in_front_of_with(backend, options()).await
}

pub(crate) async fn in_front_of_with(backend: &Backend, options: Options) -> Fixture {
    Fixture::start(
        options,
        vec![
            to_service("all", "/", "svc"),
            instance("svc", "one", backend.address),
        ],
    )
    .await
}
