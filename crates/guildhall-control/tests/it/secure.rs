//! Active checks over TLS: what is trusted, and what people read when it is not.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use guildhall_core::document::{Document, Kind};
use guildhall_core::registry::Health;
use http_body_util::Full;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::PrivateKeyDer;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use crate::upstream::HttpUpstream;
use crate::world::*;

/// Signs servers' certificates.
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: tempfile::TempDir,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ca.pem"), issuer.pem()).unwrap();
        Self { issuer, folder }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// A server's settings with a certificate for `name`.
    fn server(&self, name: &str, alpn: &[&str], expired: bool) -> ServerConfig {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        if expired {
            params.not_after = rcgen::date_time_ymd(2020, 1, 1);
            params.not_before = rcgen::date_time_ymd(2019, 1, 1);
        }
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        config.alpn_protocols = alpn.iter().map(|word| word.as_bytes().to_vec()).collect();
        config
    }
}

/// A server over TLS: `well` over HTTP/1.1, SERVING over HTTP/2.
struct SecureUpstream {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Drop for SecureUpstream {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl SecureUpstream {
    async fn start(config: ServerConfig) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&connections);
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let task = tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let (acceptor, count) = (acceptor.clone(), Arc::clone(&count));
                tokio::spawn(async move {
                    let Ok(stream) = acceptor.accept(socket).await else {
                        return;
                    };
                    count.fetch_add(1, Ordering::SeqCst);
                    serve(stream).await;
                });
            }
        });
        Self {
            address,
            connections,
            task,
        }
    }
}

async fn serve(stream: tokio_rustls::server::TlsStream<tokio::net::TcpStream>) {
    let h2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    let service = service_fn(move |_: http::Request<hyper::body::Incoming>| {
        let response = match h2 {
            true => http::Response::builder()
                .header("grpc-status", "0")
                .body(Full::new(Bytes::from_static(&[0, 0, 0, 0, 2, 0x08, 1]))),
            false => http::Response::builder().body(Full::new(Bytes::from_static(b"well"))),
        };
        std::future::ready(Ok::<_, Infallible>(response.unwrap()))
    });
    let stream = TokioIo::new(stream);
    let _ = match h2 {
        true => {
            let builder = http2::Builder::new(TokioExecutor::new());
            builder.serve_connection(stream, service).await
        }
        false => {
            http1::Builder::new()
                .serve_connection(stream, service)
                .await
        }
    };
}

/// An instance whose port is `https`, with one check.
fn probed(name: &str, address: SocketAddr, mut check: Value) -> Document {
    check["interval"] = json!("30ms");
    check["timeout"] = json!("5s");
    check["fall"] = json!(1);
    let ports = json!([{"port": address.port(), "protocol": "https"}]);
    let spec = json!({"host": "127.0.0.1", "ports": ports, "checks": [check]});
    document(Kind::Instance, name, spec)
}

async fn trusting(file: PathBuf) -> World {
    let mut options = options();
    options.checks.ca_file = Some(file);
    World::with(options).await
}

impl World {
    /// Registers an instance at an https port and waits for what its check comes to.
    async fn checked(&self, name: &str, at: SocketAddr, check: Value, expect: Health) -> String {
        self.seen(probed(name, at, check)).await;
        let key = key(Kind::Instance, name);
        self.until_health(&key, expect).await;
        self.instance_status(&key).unwrap().checks[0].output.clone()
    }
}

#[tokio::test]
async fn an_https_port_is_checked_over_tls() {
    let authority = Authority::new();
    let upstream = SecureUpstream::start(authority.server("127.0.0.1", &[], false)).await;
    let world = trusting(authority.file()).await;
    let check = json!({"type": "http", "rise": 3, "expectedBody": "well"});
    let output = world
        .checked("a/http", upstream.address, check, Health::Healthy)
        .await;
    assert_eq!(output, "200 OK: well");
    let connections = upstream.connections.load(Ordering::SeqCst);
    assert_eq!(connections, 1, "the connection is kept");

    let grpc = SecureUpstream::start(authority.server("127.0.0.1", &["h2"], false)).await;
    let check = json!({"type": "grpc", "rise": 3});
    let output = world
        .checked("a/grpc", grpc.address, check, Health::Healthy)
        .await;
    assert_eq!(output, "SERVING");
    assert_eq!(grpc.connections.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_check_says_how_the_certificate_is_judged() {
    let authority = Authority::new();
    let upstream = SecureUpstream::start(authority.server("users.internal", &[], false)).await;
    let world = trusting(authority.file()).await;
    // All three at once, to the same port: each on a connection made its own way.
    let skip = json!({"type": "http", "tlsSkipVerify": true});
    world
        .checked("a/any", upstream.address, skip, Health::Healthy)
        .await;
    let check = json!({"type": "http"});
    let output = world
        .checked("a/host", upstream.address, check, Health::Unhealthy)
        .await;
    assert!(
        output.starts_with("the certificate is for another name")
            && output.contains("tlsServerName"),
        "{output}"
    );
    let named = json!({"type": "http", "tlsServerName": "users.internal"});
    world
        .checked("a/named", upstream.address, named, Health::Healthy)
        .await;
}

#[tokio::test]
async fn what_is_wrong_with_tls_stands_in_the_output() {
    let (known, unknown) = (Authority::new(), Authority::new());
    let world = trusting(known.file()).await;
    let expect = async |name: &str, at: SocketAddr, check: &str, words: &str| {
        let check = json!({"type": check});
        let output = world.checked(name, at, check, Health::Unhealthy).await;
        assert!(output.starts_with(words), "{name}: {output}");
    };
    let foreign = SecureUpstream::start(unknown.server("127.0.0.1", &[], false)).await;
    let words =
        "the certificate is signed by no authority that checks trust; add it to checks.ca_file";
    expect("a/foreign", foreign.address, "http", words).await;
    let old = SecureUpstream::start(known.server("127.0.0.1", &[], true)).await;
    expect("a/old", old.address, "http", "the certificate has expired").await;
    let plain = HttpUpstream::start("hello").await;
    let words = "the port does not speak TLS, though its protocol is https";
    expect("a/plain", plain.address, "http", words).await;
    let http1 = SecureUpstream::start(known.server("127.0.0.1", &["http/1.1"], false)).await;
    let words = "the port does not speak HTTP/2 over TLS, which gRPC needs";
    expect("a/http1", http1.address, "grpc", words).await;

    let world = trusting(known.file().with_file_name("none.pem")).await;
    let check = json!({"type": "http"});
    let output = world
        .checked("a/none", old.address, check, Health::Unhealthy)
        .await;
    assert!(output.starts_with("checks.ca_file \""), "{output}");
}
