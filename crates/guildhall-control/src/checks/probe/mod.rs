//! How one check is run: `http`, `tcp`, `grpc`, each over `dial`.

mod dial;
mod grpc;
mod http;
mod tcp;

use guildhall_core::registry::health::CheckOutcome;
use guildhall_core::registry::{Check, Instance, Probe};

use dial::Dial;

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

/// Runs checks; keeps a connection to each target.
pub(super) struct Prober {
    dial: Dial,
    http: http::Client,
    grpc: grpc::Client,
}

impl Prober {
    pub(super) fn new(allow_link_local: bool) -> Self {
        let dial = Dial { allow_link_local };
        Self {
            http: http::client(dial),
            grpc: grpc::client(dial),
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
                Probe::Http { .. } => http::probe(&self.http, instance, port, &check.probe).await,
                Probe::Tcp { .. } => tcp::probe(self.dial, &instance.host, port).await,
                Probe::Grpc { service, .. } => {
                    grpc::probe(&self.grpc, &instance.host, port, service).await
                }
                Probe::Ttl { .. } => Outcome::critical("a ttl check is reported, not run"),
            }
        };
        match tokio::time::timeout(schedule.timeout.get(), run).await {
            Ok(outcome) => outcome,
            Err(_) => Outcome::critical(format!("no answer within {}", schedule.timeout)),
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
fn explain(error: &dyn std::error::Error) -> String {
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
