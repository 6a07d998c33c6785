//! CPU time per proxied request: one gateway worker, 64 keep-alive connections, 1 KiB answers.
//!
//! ```text
//! cargo bench -p guildhall-gateway --bench proxy -- [gateway|gateway-log|gateway-16k|nginx|nginx-work]... [seconds=5]
//! cargo bench -p guildhall-gateway --bench proxy -- change
//! ```
//!
//! `gateway-16k` has 16,000 further routes on the same host; `change` adds routes to those, idle and
//! under load, and tells how long each took to be answered with 200. `nginx` is bare; `nginx-work` does what the gateway does: request id, forwarded headers, access
//! log. Client, backend and proxy share this machine's cores, so that requests per second say
//! little; the proxy's CPU time per request is what counts, read from the kernel for its thread.
#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a benchmark measures real time, prints, and ends at what it cannot do"
)]

use std::{
    fs,
    future::Future,
    io::{Read, Write},
    net::SocketAddr,
    path::Path,
    pin::Pin,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use guildhall_core::{
    document::{Body, Document, Index, Kind},
    source::{Change, SnapshotSource, Update},
};
use guildhall_gateway::{AccessLog, Gateway, GatewayHandle, LogFormat, Options};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
};

const CONNECTIONS: usize = 64;
const BODY: usize = 1024;
const MANY: usize = 16_000;
const REQUEST: &[u8] = b"GET /api/items?page=1 HTTP/1.1\r\nHost: bench.test\r\nUser-Agent: bench/1.0\r\n\
                         Accept: application/json\r\nAccept-Encoding: gzip\r\nX-Client: some-value\r\n\r\n";

fn main() {
    let mut seconds = 5;
    let mut peers = Vec::new();
    for argument in std::env::args()
        .skip(1)
        .filter(|argument| !argument.starts_with("--"))
    {
        match argument.strip_prefix("seconds=") {
            Some(n) => seconds = n.parse().expect("seconds=N"),
            None => peers.push(argument),
        }
    }
    if peers.is_empty() {
        peers = vec!["gateway".to_owned(), "nginx".to_owned()];
    }
    let backend = backend();
    if peers == ["change"] {
        return change(backend);
    }
    let directory = tempfile::tempdir().expect("a directory");
    println!(
        "{:<14} {:>12} {:>12} {:>10}",
        "proxy", "requests/s", "µs/request", "failed"
    );
    for peer in &peers {
        let proxy = match peer.as_str() {
            "gateway" => Proxy::gateway(backend, None, 0).0,
            "gateway-16k" => Proxy::gateway(backend, None, MANY).0,
            "gateway-log" => Proxy::gateway(backend, Some(directory.path()), 0).0,
            "nginx" => Proxy::nginx(backend, directory.path(), false),
            "nginx-work" => Proxy::nginx(backend, directory.path(), true),
            other => panic!("there is no proxy {other:?}"),
        };
        load(proxy.address, Duration::from_secs(1));
        let (cpu, start) = (proxy.cpu(), Instant::now());
        let done = load(proxy.address, Duration::from_secs(seconds));
        let (cpu, took) = (proxy.cpu() - cpu, start.elapsed());
        let per_request = cpu as f64 / 1000.0 / done.answered as f64;
        let per_second = done.answered as f64 / took.as_secs_f64();
        println!(
            "{peer:<14} {per_second:>12.0} {per_request:>12.2} {:>10}",
            done.failed
        );
    }
}

/// What is measured.
struct Proxy {
    address: SocketAddr,
    /// Where the kernel tells its CPU time.
    schedstat: String,
    _running: Running,
}

enum Running {
    Gateway(#[expect(dead_code, reason = "ends when dropped")] GatewayHandle),
    Nginx(Child),
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Self::Nginx(child) = self {
            // The master ends its workers only if it is asked to.
            let _ = Command::new("kill").arg(child.id().to_string()).status();
            let _ = child.wait();
        }
    }
}

impl Proxy {
    /// With the end that feeds it.
    fn gateway(
        backend: SocketAddr,
        log: Option<&Path>,
        routes: usize,
    ) -> (Self, UnboundedSender<Update>) {
        let options = Options {
            listen: vec![SocketAddr::from(([127, 0, 0, 1], 0))],
            workers: 1,
            access_log: AccessLog {
                format: if log.is_some() {
                    LogFormat::Json
                } else {
                    LogFormat::Off
                },
                file: log.map(|directory| directory.join("gateway.log")),
            },
            ..Options::default()
        };
        let (updates, source) = unbounded_channel();
        updates.send(documents(backend, routes)).expect("a source");
        let handle = Gateway::start(options, Box::new(Fed(source))).expect("a gateway");
        while !handle.status().ready {
            thread::sleep(Duration::from_millis(1));
        }
        let worker = loop {
            let mut threads = fs::read_dir("/proc/self/task")
                .expect("threads")
                .flatten()
                .map(|thread| thread.path());
            // A thread names itself once it runs.
            let named = threads.find(|path| {
                fs::read_to_string(path.join("comm")).is_ok_and(|name| name.trim() == "gateway-0")
            });
            match named {
                Some(worker) => break worker,
                None => thread::sleep(Duration::from_millis(1)),
            }
        };
        let schedstat = worker.join("schedstat").display().to_string();
        let address = handle.addresses()[0];
        (
            Self {
                address,
                schedstat,
                _running: Running::Gateway(handle),
            },
            updates,
        )
    }

    fn nginx(backend: SocketAddr, directory: &Path, work: bool) -> Self {
        let address = std::net::TcpListener::bind("127.0.0.1:0")
            .and_then(|socket| socket.local_addr())
            .expect("a port");
        let own = directory.display();
        let (log, headers) = if work {
            let headers = "proxy_set_header X-Request-ID $request_id; proxy_set_header X-Forwarded-For $remote_addr; \
                           proxy_set_header X-Forwarded-Proto $scheme; proxy_set_header X-Forwarded-Host $http_host; \
                           proxy_set_header Host $http_host;";
            (
                format!("access_log {own}/nginx.log combined buffer=32k flush=1s;"),
                headers,
            )
        } else {
            ("access_log off;".to_owned(), "")
        };
        let configuration = format!(
            "worker_processes 1; daemon off; pid {own}/nginx.pid; error_log stderr error;\n\
             events {{ worker_connections 4096; }}\n\
             http {{ {log} keepalive_requests 100000000; client_body_temp_path {own}/b; proxy_temp_path {own}/p;\n\
             fastcgi_temp_path {own}/f; uwsgi_temp_path {own}/u; scgi_temp_path {own}/s;\n\
             upstream backend {{ server {backend}; keepalive 256; keepalive_requests 100000000; }}\n\
             server {{ listen {address}; location / {{ proxy_pass http://backend; proxy_http_version 1.1;\n\
             proxy_set_header Connection \"\"; {headers} }} }} }}\n"
        );
        let file = directory.join("nginx.conf");
        fs::write(&file, configuration).expect("a configuration");
        let child = Command::new("nginx")
            .arg("-c")
            .arg(&file)
            .stderr(Stdio::null())
            .spawn()
            .expect("nginx; install it or leave it out");
        while std::net::TcpStream::connect(address).is_err() {
            thread::sleep(Duration::from_millis(5));
        }
        let children = format!("/proc/{0}/task/{0}/children", child.id());
        let worker = loop {
            let text = fs::read_to_string(&children).expect("children");
            if let Some(worker) = text.split_whitespace().next() {
                break worker.to_owned();
            }
            thread::sleep(Duration::from_millis(5));
        };
        Self {
            address,
            schedstat: format!("/proc/{worker}/schedstat"),
            _running: Running::Nginx(child),
        }
    }

    /// Nanoseconds of CPU time so far, user and system.
    fn cpu(&self) -> u64 {
        let text = fs::read_to_string(&self.schedstat).expect("schedstat");
        text.split_whitespace()
            .next()
            .and_then(|word| word.parse().ok())
            .expect("a number")
    }
}

/// A source fed by hand.
struct Fed(UnboundedReceiver<Update>);

impl SnapshotSource for Fed {
    fn next(&mut self) -> Pin<Box<dyn Future<Output = Option<Update>> + Send + '_>> {
        Box::pin(self.0.recv())
    }
}

fn document(kind: Kind, name: &str, spec: &serde_json::Value) -> Document {
    let json = json!({"metadata": {"name": name}, "spec": spec}).to_string();
    Body::parse(&json)
        .and_then(|body| body.into_document(kind, None, None))
        .expect("a document")
}

fn route(name: &str, prefix: &str) -> Document {
    let rule = json!({"matches": [{"path": {"value": prefix}}], "backendRefs": [{"name": "svc"}]});
    document(
        Kind::HttpRoute,
        name,
        &json!({"hostnames": ["bench.test"], "rules": [rule]}),
    )
}

fn documents(backend: SocketAddr, routes: usize) -> Update {
    let address =
        json!({"service": "svc", "host": backend.ip().to_string(), "port": backend.port()});
    let mut documents = vec![
        document(Kind::Instance, "one", &address),
        route("api", "/api"),
    ];
    documents
        .extend((0..routes).map(|n| route(&format!("r{n}"), &format!("/group-{}/{n}", n % 100))));
    Update::Full {
        index: Some(Index {
            incarnation: 1,
            revision: 1,
        }),
        documents,
    }
}

/// From the creation of a route to its first 200, idle and under load, among many routes.
fn change(backend: SocketAddr) {
    let started = Instant::now();
    let (proxy, updates) = Proxy::gateway(backend, None, MANY);
    println!(
        "{MANY} routes are in effect after {:.0?}",
        started.elapsed()
    );
    let mut revision = 1;
    for (when, busy) in [("idle", false), ("under load", true)] {
        let address = proxy.address;
        let load = busy.then(|| thread::spawn(move || load(address, Duration::from_secs(4))));
        let mut took: Vec<Duration> = Vec::new();
        for _ in 0..30 {
            revision += 1;
            let prefix = format!("/new-{revision}");
            let index = Index {
                incarnation: 1,
                revision,
            };
            let changes = vec![Change::Put(route(&format!("new-{revision}"), &prefix))];
            let began = Instant::now();
            updates
                .send(Update::Delta { index, changes })
                .expect("a source");
            while !is_answered(address, &prefix) {
                thread::sleep(Duration::from_micros(200));
            }
            took.push(began.elapsed());
        }
        took.sort();
        println!(
            "{when}: median {:.1?}, worst of 30 {:.1?}",
            took[15], took[29]
        );
        if let Some(load) = load {
            let done = load.join().expect("clients");
            println!(
                "{} requests meanwhile, {} failed",
                done.answered, done.failed
            );
        }
    }
}

fn is_answered(proxy: SocketAddr, path: &str) -> bool {
    let mut stream = std::net::TcpStream::connect(proxy).expect("a connection");
    let request = format!("GET {path} HTTP/1.1\r\nHost: bench.test\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("a request");
    let mut head = [0; 12];
    stream
        .read_exact(&mut head)
        .is_ok_and(|()| head == *b"HTTP/1.1 200")
}

fn on_a_thread(work: impl Future<Output = ()> + Send + 'static) -> thread::JoinHandle<()> {
    thread::spawn(|| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.block_on(work);
    })
}

/// Answers every request at once.
fn backend() -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.set_nonblocking(true).expect("non-blocking");
    let address = listener.local_addr().expect("an address");
    let answer = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nDate: Mon, 23 Nov 2026 14:46:01 GMT\r\n\
         Content-Length: {BODY}\r\n\r\n{}",
        "x".repeat(BODY)
    );
    let answer: Arc<[u8]> = answer.into_bytes().into();
    on_a_thread(async move {
        let listener = TcpListener::from_std(listener).expect("a listener");
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.set_nodelay(true);
            let answer = Arc::clone(&answer);
            tokio::spawn(async move {
                let mut buffer = vec![0; 8 * 1024];
                let mut filled = 0;
                while let Ok(n @ 1..) = stream.read(&mut buffer[filled..]).await {
                    filled += n;
                    if buffer[..filled].ends_with(b"\r\n\r\n") {
                        filled = 0;
                        if stream.write_all(&answer).await.is_err() {
                            return;
                        }
                    }
                }
            });
        }
    });
    address
}

struct Done {
    answered: u64,
    failed: u64,
}

/// Asks over and over on all connections.
fn load(proxy: SocketAddr, time: Duration) -> Done {
    let stop = Arc::new(AtomicBool::new(false));
    let answered = Arc::new(AtomicU64::new(0));
    let failed = Arc::new(AtomicU64::new(0));
    let thread = on_a_thread({
        let (stop, answered, failed) = (
            Arc::clone(&stop),
            Arc::clone(&answered),
            Arc::clone(&failed),
        );
        async move {
            let mut clients = tokio::task::JoinSet::new();
            for _ in 0..CONNECTIONS {
                let (stop, answered, failed) = (
                    Arc::clone(&stop),
                    Arc::clone(&answered),
                    Arc::clone(&failed),
                );
                clients.spawn(async move {
                    let mut stream = TcpStream::connect(proxy).await.expect("a connection");
                    let _ = stream.set_nodelay(true);
                    let mut buffer = vec![0; 16 * 1024];
                    while !stop.load(Relaxed) {
                        match ask(&mut stream, &mut buffer).await {
                            Some(()) => answered.fetch_add(1, Relaxed),
                            None => {
                                failed.fetch_add(1, Relaxed);
                                return;
                            }
                        };
                    }
                });
            }
            while clients.join_next().await.is_some() {}
        }
    });
    thread::sleep(time);
    stop.store(true, Relaxed);
    thread.join().expect("clients");
    Done {
        answered: answered.load(Relaxed),
        failed: failed.load(Relaxed),
    }
}

/// One request and its whole answer, whose head is looked at only for its end.
async fn ask(stream: &mut TcpStream, buffer: &mut [u8]) -> Option<()> {
    stream.write_all(REQUEST).await.ok()?;
    let mut filled = 0;
    loop {
        let n = stream
            .read(&mut buffer[filled..])
            .await
            .ok()
            .filter(|n| *n > 0)?;
        filled += n;
        if let Some(end) = buffer[..filled]
            .windows(4)
            .position(|window| window == b"\r\n\r\n")
            && filled == end + 4 + BODY
        {
            return buffer.starts_with(b"HTTP/1.1 200").then_some(());
        }
    }
}
