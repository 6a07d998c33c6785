//! Connections to the servers, and which of them is asked.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, Uri, header, uri::PathAndQuery};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper_rustls::{ConfigBuilderExt, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{self, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, pem::PemObject},
};

use super::{
    Client, ClientError, ClientOptions, OptionsError, answer::Answer, call::Call, error::chain,
};
use crate::wire::header as names;

/// The most bytes of an answer that is read into memory: a page of the largest documents.
const MAX_ANSWER: usize = 256 << 20;

pub(super) struct Transport {
    http: legacy::Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    bases: Vec<Uri>,
    names: Vec<String>,
    /// Which server answered last: the next call begins there.
    current: AtomicUsize,
    authorization: Option<HeaderValue>,
    user_agent: HeaderValue,
    timeout: Duration,
    pub(super) watch_idle: Duration,
}

impl Transport {
    pub(super) fn new(options: ClientOptions) -> Result<Self, OptionsError> {
        let bases = options.bases()?;
        let tls = bases.iter().any(|base| base.scheme_str() == Some("https"));
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(options.connect_timeout));
        tcp.set_keepalive(Some(Duration::from_secs(30)));
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(trust(&options, tls)?)
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp);
        let http = legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(Duration::from_secs(30))
            .build(connector);
        let user_agent = HeaderValue::try_from(options.user_agent.as_str());
        Ok(Self {
            http,
            names: bases
                .iter()
                .map(|base| base.to_string().trim_end_matches('/').to_owned())
                .collect(),
            bases,
            current: AtomicUsize::new(0),
            authorization: options.authorization()?,
            user_agent: user_agent.unwrap_or_else(|_| HeaderValue::from_static("guildhall")),
            timeout: options.timeout,
            watch_idle: options.watch_idle,
        })
    }

    /// The server that is asked first.
    pub(super) fn server(&self) -> &str {
        self.name(self.current.load(Ordering::Relaxed))
    }

    fn name(&self, at: usize) -> &str {
        self.names.get(at).map_or("", String::as_str)
    }

    fn request(
        &self,
        at: usize,
        call: &Call,
        id: &HeaderValue,
    ) -> Result<Request<Full<Bytes>>, ClientError> {
        let unsendable = |error: http::Error| ClientError::Unsendable(error.to_string());
        let base = &self.bases[at];
        let path = format!(
            "{}{}{}",
            base.path().trim_end_matches('/'),
            call.path,
            call.query
        );
        let path = PathAndQuery::try_from(path).map_err(|error| unsendable(error.into()))?;
        let mut parts = base.clone().into_parts();
        parts.path_and_query = Some(path);
        let uri = Uri::from_parts(parts).map_err(|error| unsendable(error.into()))?;
        let mut request = Request::new(Full::new(call.body.clone()));
        *request.method_mut() = call.method.clone();
        *request.uri_mut() = uri;
        *request.headers_mut() = call.headers.clone();
        let headers = request.headers_mut();
        headers.insert(names::REQUEST_ID, id.clone());
        headers.insert(header::USER_AGENT, self.user_agent.clone());
        if let Some(authorization) = &self.authorization {
            headers.insert(header::AUTHORIZATION, authorization.clone());
        }
        Ok(request)
    }

    /// Sends the call to one server after the other, until one answers.
    ///
    /// The next server is asked when a connection could not be made, when a server says that it
    /// is not the one to answer (421) or not at present (503), and for a repeatable call also
    /// when the connection broke.
    async fn send(
        &self,
        call: &Call,
        id: &HeaderValue,
    ) -> Result<(usize, Response<Incoming>), ClientError> {
        let count = self.bases.len();
        let first = self.current.load(Ordering::Relaxed) % count;
        let mut failure = None;
        for step in 0..count {
            let at = (first + step) % count;
            let last = step + 1 == count;
            match self.http.request(self.request(at, call, id)?).await {
                Ok(response) => {
                    let elsewhere = [
                        StatusCode::MISDIRECTED_REQUEST,
                        StatusCode::SERVICE_UNAVAILABLE,
                    ];
                    if !last && elsewhere.contains(&response.status()) {
                        failure = Some(Ok((at, response)));
                        continue;
                    }
                    self.current.store(at, Ordering::Relaxed);
                    return Ok((at, response));
                }
                Err(error) => {
                    let connected = !error.is_connect();
                    let error = match connected {
                        true => ClientError::Broken {
                            server: self.name(at).to_owned(),
                            cause: chain(&error),
                        },
                        false => ClientError::Unreachable {
                            servers: self.names.join(", "),
                            cause: chain(&error),
                        },
                    };
                    if connected && !call.repeatable {
                        return Err(error);
                    }
                    // An answer, even a refusal, says more than a dead server beside it.
                    if !matches!(failure, Some(Ok(_))) {
                        failure = Some(Err(error));
                    }
                }
            }
        }
        failure.unwrap_or(Err(ClientError::Unsendable(
            "there is no server".to_owned(),
        )))
    }

    /// The next call begins with the server after this one: this one hangs.
    fn pass_on(&self, from: usize) {
        let next = (from + 1) % self.bases.len();
        let _ = self
            .current
            .compare_exchange(from, next, Ordering::Relaxed, Ordering::Relaxed);
    }
}

fn trust(options: &ClientOptions, tls: bool) -> Result<ClientConfig, OptionsError> {
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| OptionsError::NativeRoots(error.to_string()))?;
    if options.ca.is_none() && tls {
        let builder = builder
            .with_native_roots()
            .map_err(|error| OptionsError::NativeRoots(error.to_string()))?;
        return Ok(builder.with_no_client_auth());
    }
    let mut roots = RootCertStore::empty();
    if let Some(path) = &options.ca {
        let bad = |cause: String| OptionsError::Ca {
            path: path.clone(),
            cause,
        };
        let certificates =
            CertificateDer::pem_file_iter(path).map_err(|error| bad(error.to_string()))?;
        for certificate in certificates {
            let certificate = certificate.map_err(|error| bad(error.to_string()))?;
            roots
                .add(certificate)
                .map_err(|error| bad(error.to_string()))?;
        }
        if roots.is_empty() {
            return Err(bad("it has none".to_owned()));
        }
    }
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

impl Client {
    /// The call's request id: the caller's, else one of its own.
    fn id(&self) -> Result<HeaderValue, ClientError> {
        let id = match &self.request_id {
            Some(id) => HeaderValue::try_from(&**id),
            None => HeaderValue::try_from(format!("{:016x}", fastrand::u64(..))),
        };
        id.map_err(|_| {
            ClientError::Unsendable("the request id has characters that no header takes".to_owned())
        })
    }

    fn prepared(&self, mut call: Call) -> Call {
        if call.method == http::Method::GET
            && let Some(index) = self.indexes.written()
        {
            call.query.add("minIndex", index);
        }
        call
    }

    /// Makes the call and reads the whole answer.
    pub(super) async fn call(&self, call: Call) -> Result<Answer, ClientError> {
        let (call, id, transport) = (self.prepared(call), self.id()?, &*self.transport);
        let began = transport.current.load(Ordering::Relaxed);
        let after = transport.timeout + call.wait;
        let whole = async {
            let (at, response) = transport.send(&call, &id).await?;
            let server = transport.name(at).to_owned();
            let (head, body) = response.into_parts();
            let body = Limited::new(body, MAX_ANSWER).collect().await;
            let body = body.map_err(|error| ClientError::Broken {
                server: server.clone(),
                cause: chain(&*error),
            })?;
            Ok(Answer {
                server,
                status: head.status,
                headers: head.headers,
                body: body.to_bytes(),
            })
        };
        let answer = tokio::time::timeout(after, whole)
            .await
            .unwrap_or_else(|_| {
                let server = transport.server().to_owned();
                transport.pass_on(began);
                Err(ClientError::Timeout { server, after })
            })?;
        if let Some(index) = answer.index() {
            self.indexes.note(
                index,
                call.method != http::Method::GET && answer.status.is_success(),
            );
        }
        answer.accepted()
    }

    /// Makes the call and leaves the body of the answer to be read as it comes.
    pub(super) async fn open(
        &self,
        call: Call,
    ) -> Result<(String, Response<Incoming>), ClientError> {
        let (call, id, transport) = (self.prepared(call), self.id()?, &*self.transport);
        let began = transport.current.load(Ordering::Relaxed);
        let after = transport.timeout + call.wait;
        let head = async {
            let (at, response) = transport.send(&call, &id).await?;
            let server = transport.name(at).to_owned();
            if response.status().is_success() {
                return Ok((server, response));
            }
            let (head, body) = response.into_parts();
            let body = Limited::new(body, 1 << 20)
                .collect()
                .await
                .map(|body| body.to_bytes())
                .unwrap_or_default();
            let answer = Answer {
                server,
                status: head.status,
                headers: head.headers,
                body,
            };
            Err(answer
                .accepted()
                .err()
                .unwrap_or(ClientError::Unsendable("no answer".to_owned())))
        };
        tokio::time::timeout(after, head).await.unwrap_or_else(|_| {
            let server = transport.server().to_owned();
            transport.pass_on(began);
            Err(ClientError::Timeout { server, after })
        })
    }
}
