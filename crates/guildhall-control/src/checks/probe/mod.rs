//! How one check is run: `http`, `tcp`, `grpc`, each over `dial`; `http` and `grpc` over `tls` where
//! the port's protocol is https.

mod dial;
mod grpc;
mod http;
mod tcp;
mod tls;

use std::path::PathBuf;
use std::time::Duration;

use guildhall_core::registry::health::CheckOutcome;
use guildhall_core::registry::{Check, CheckTls, Instance, Probe, Protocol};

use dial::Dial;

/// How long a connection waits for the target's next check.
const IDLE: Duration = Duration::from_secs(90);

/// What a run of a check came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) outcome: CheckOutcome,
    /// For people.
    pub(super) output: String,
}

impl Outcome {
    fn passing(output: impl Into<String>) -> Self {
        Self {
            outcome: CheckOutcome::Passing,
            output: output.into(),
        }
    }

    fn warning(output: impl Into<String>) -> Self {
        Self {
            outcome: CheckOutcome::Warning,
            output: output.into(),
        }
    }

    fn critical(output: impl Into<String>) -> Self {
        Self {
            outcome: CheckOutcome::Critical,
            output: output.into(),
        }
    }
}

/// Clients that keep their connections.
#[derive(Clone)]
struct Clients<C> {
    http: http::Client<C>,
    grpc: grpc::Client<C>,
}

impl<C: Connector> Clients<C> {
    fn new(http1: C, http2: C) -> Self {
        Self {
            http: http::client(http1),
            grpc: grpc::client(http2),
        }
    }

    /// Runs an http or grpc check against `base`, a scheme and an authority.
    async fn probe(&self, base: &str, probe: &Probe) -> Outcome {
        match probe {
            Probe::Grpc { service, .. } => grpc::probe(&self.grpc, base, service).await,
            probe => http::probe(&self.http, base, probe).await,
        }
    }
}

/// What makes connections: [`Dial`], in the clear or under TLS.
trait Connector: hyper_util::client::legacy::connect::Connect + Clone + Send + Sync + 'static {}

impl<C> Connector for C where
    C: hyper_util::client::legacy::connect::Connect + Clone + Send + Sync + 'static
{
}

/// Runs checks; keeps a connection to each target.
pub(super) struct Prober {
    dial: Dial,
    plain: Clients<Dial>,
    tls: tls::Tls,
}

impl Prober {
    pub(super) fn new(allow_link_local: bool, ca_file: Option<PathBuf>) -> Self {
        let dial = Dial { allow_link_local };
        Self {
            plain: Clients::new(dial, dial),
            tls: tls::Tls::new(dial, ca_file),
            dial,
        }
    }

    /// Runs a check once, within its timeout.
    pub(super) async fn probe(&self, instance: &Instance, check: &Check) -> Outcome {
        let (Some(schedule), Some(port)) = (
            check.schedule(),
            check
                .port()
                .or_else(|| instance.default_port().map(|port| port.port)),
        ) else {
            return Outcome::critical("the check has no port to reach");
        };
        let run = async {
            match &check.probe {
                Probe::Http { .. } | Probe::Grpc { .. } => self.call(instance, port, check).await,
                Probe::Tcp { .. } => tcp::probe(self.dial, &instance.host, port).await,
                Probe::Ttl { .. } => Outcome::critical("a ttl check is reported, not run"),
            }
        };
        match tokio::time::timeout(schedule.timeout.get(), run).await {
            Ok(outcome) => outcome,
            Err(_) => Outcome::critical(format!("no answer within {}", schedule.timeout)),
        }
    }

    /// Runs an http or grpc check, over TLS if the port's protocol is https.
    async fn call(&self, instance: &Instance, port: u16, check: &Check) -> Outcome {
        let authority = authority(&instance.host, port);
        let https = |known: &guildhall_core::registry::Port| {
            known.port == port && known.protocol == Protocol::Https
        };
        if !instance.ports.iter().any(https) {
            let base = format!("http://{authority}");
            return self.plain.probe(&base, &check.probe).await;
        }
        let usual = CheckTls::default();
        match self.tls.clients(check.tls().unwrap_or(&usual)).await {
            Ok(clients) => {
                let base = format!("https://{authority}");
                clients.probe(&base, &check.probe).await
            }
            Err(why) => Outcome::critical(why),
        }
    }
}

/// `host:port` as URIs write it.
fn authority(host: &str, port: u16) -> String {
    if host.contains(':') && !host.starts_with('[') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    }
}

/// An error with what caused it, on one line.
fn explain(error: &(dyn std::error::Error + 'static)) -> String {
    if let Some(complaint) = tls::complaint(error) {
        return complaint;
    }
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.ends_with(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = error.source();
    }
    text
}
